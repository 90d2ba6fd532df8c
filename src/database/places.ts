/**
 * Places: the locations that live entries and unfinished purges hold. No two holders may overlap where a user has
 * chosen the location; {@link lockPlaces} makes the check and the insert one step.
 *
 * Among them are *write paths*: where a table's properties have it write outside of its location. Many tables may write to one
 * path, and one table around another's location: a write path reserves nothing, it only tells a purge whose files lie there.
 */
import { randomUUID } from 'node:crypto'
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import { IcebergError } from '../iceberg/errors.ts'
import { identifierText } from '../iceberg/identifier.ts'
import { ancestorKeys, placeKey } from '../storage/location.ts'
import type { Executor, Transaction } from './database.ts'
import { dialectOf } from './dialect.ts'
import { namespaceLevels } from './namespace-path.ts'
import type { Schema } from './schema/index.ts'

/** Advisory lock of PostgreSQL that guards the set of places. Any constant that no other program uses. */
const placesLock = 6_855_182_024

/**
 * Locks the set of places until the transaction ends; to be called before any row is locked, so that no deadlock
 * arises. `exclusive` to check for overlaps and then reserve; `shared` for what cannot collide: a location with a
 * unique suffix, a drop, the purge's guard. On SQLite a write transaction is alone already.
 */
export async function lockPlaces(tx: Transaction, mode: 'shared' | 'exclusive'): Promise<void> {
  if (dialectOf(tx) === 'sqlite') return
  const lock = mode === 'shared' ? sql`pg_advisory_xact_lock_shared` : sql`pg_advisory_xact_lock`
  await sql`SELECT ${lock}(${sql.lit(placesLock)})`.execute(tx)
}

export interface Overlap {
  /** `places.id`. */
  readonly id: string
  readonly location: string
  readonly placeKey: string
  readonly owned: boolean
  /** False of a write path. */
  readonly reserved: boolean
  readonly holder: PlaceHolder
}

export type PlaceHolder =
  | {
      readonly kind: 'entry'
      readonly entryId: string
      readonly entryKind: 'table' | 'view'
      readonly warehouse: string
      readonly namespace: readonly string[]
      readonly name: string
      readonly uuid: string | undefined
    }
  | { readonly kind: 'purge'; readonly purgeId: string }

/**
 * Every place, of whichever warehouse, that contains `location`, equals it or lies inside it, by whole segments. Two
 * index ranges, however many places there are.
 *
 * @param options.writePaths write paths, too. @default false
 */
export async function findOverlaps(
  executor: Executor,
  location: string,
  options: { readonly writePaths?: boolean } = {},
): Promise<Overlap[]> {
  const key = placeKey(location)
  return await places(executor, (where) =>
    where.and([
      ...(options.writePaths ? [] : [where('reserved', '=', 1)]),
      where.or([
        where('place_key', 'in', ancestorKeys(key)),
        where.and([where('place_key', '>=', key), where('place_key', '<', beyond(key))]),
      ]),
    ]),
  )
}

/** Every place that contains `location` or equals it, and write paths, too. */
export async function placesAround(executor: Executor, location: string): Promise<Overlap[]> {
  const keys = ancestorKeys(placeKey(location))
  return await places(executor, (where) => where('place_key', 'in', keys))
}

/** Keys end with a slash; '0' is the character after it: [key, beyond) is what lies inside. */
export function beyond(key: string): string {
  return `${key.slice(0, -1)}0`
}

async function places(
  executor: Executor,
  condition: (where: ExpressionBuilder<Schema, 'places'>) => Expression<SqlBool>,
): Promise<Overlap[]> {
  const rows = await executor
    .selectFrom('places')
    .leftJoin('entries', 'entries.id', 'places.entry_id')
    .leftJoin('namespaces', 'namespaces.id', 'entries.namespace_id')
    .select(['places.id', 'places.location', 'place_key', 'owned', 'reserved', 'entry_id', 'purge_id'])
    .select(['entries.kind', 'entries.warehouse', 'entries.name', 'entries.uuid', 'namespaces.path'])
    .where((where) => condition(where as never))
    .orderBy('place_key')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    location: row.location,
    placeKey: row.place_key,
    owned: row.owned === 1,
    reserved: row.reserved === 1,
    holder:
      row.purge_id !== null
        ? { kind: 'purge', purgeId: row.purge_id }
        : {
            kind: 'entry',
            entryId: row.entry_id!,
            entryKind: row.kind!,
            warehouse: row.warehouse!,
            namespace: namespaceLevels(row.path!),
            name: row.name!,
            uuid: row.uuid ?? undefined,
          },
  }))
}

/** Who holds a place, in words for a message. */
export function holderText(holder: PlaceHolder): string {
  return holder.kind === 'purge'
    ? `an unfinished purge ${holder.purgeId}`
    : `${holder.entryKind} ${identifierText(holder)} of warehouse ${holder.warehouse}`
}

/** The answer to a location that overlaps another holder's place. */
export function locationConflict(location: string, overlap: Overlap): IcebergError {
  return new IcebergError(
    'LocationConflictException',
    `Location ${location} overlaps ${overlap.location}, which is held by ${holderText(overlap.holder)}. Choose another location, or none to have a unique one assigned.`,
  )
}

/** Makes a place of an entry. The caller has locked the places and looked for overlaps. */
export async function insertPlace(
  tx: Transaction,
  place: { location: string; owned: boolean; reserved?: boolean; entryId: string; now: number },
): Promise<void> {
  await tx
    .insertInto('places')
    .values({
      id: randomUUID(),
      location: place.location,
      place_key: placeKey(place.location),
      owned: place.owned ? 1 : 0,
      reserved: (place.reserved ?? true) ? 1 : 0,
      entry_id: place.entryId,
      purge_id: null,
      created_at: place.now,
    })
    .execute()
}
