/**
 * What protects other tables from a purge. A metadata file lists whatever its writer put there; that a path is
 * reachable does not make it this table's alone.
 */
import { type Selectable, sql } from 'kysely'
import type { Executor, Transaction } from '../database/database.ts'
import { namespaceLevels } from '../database/namespace-path.ts'
import { findOverlaps } from '../database/places.ts'
import type { PurgeTable } from '../database/schema/purges.ts'
import { liveTwins, type Twin, unfinishedTwin } from '../database/twins.ts'
import { ancestorKeys, parentLocation, placeKey } from '../storage/location.ts'
import { foreignRootIn, rootsIn } from './foreign-roots.ts'
import type { Purge, PurgeLocation } from './purger.ts'

/**
 * Why the purge has to wait for a person: a live entry with the same metadata file, or the same UUID, is the same table
 * under another name, and all its files are reachable from here. So is one whose drop can still be undone: a purge that
 * is retained, or held by an operator. (One that the guard holds does not count: two could hold each other for ever.)
 * Undefined when there is none.
 *
 * Runs in the claim's transaction with the places locked, as registering and undoing a drop do: neither can miss the other.
 */
export async function sharedWith(
  tx: Transaction,
  row: Pick<Selectable<PurgeTable>, 'id' | 'metadata_key' | 'uuid'>,
): Promise<string | undefined> {
  const identity = { metadataKey: row.metadata_key, uuid: row.uuid }
  const [live] = await liveTwins(tx, identity, { limit: 1 })
  if (live)
    return `The live table ${nameOf(live)} has the same ${sharedPart(live, row)}: erasing the files would destroy it.`
  const undoable = await unfinishedTwin(
    tx,
    identity,
    sql`id <> ${row.id} AND begun_at IS NULL AND (state = 'retained' OR (state = 'held' AND held_by = 'operator'))`,
  )
  if (!undoable) return undefined
  return `The dropped table ${nameOf(undoable)} has the same ${sharedPart(undoable, row)}, and its drop can still be undone (purge ${undoable.id}).`
}

function nameOf({ path, name, warehouse }: Twin): string {
  return `${[...namespaceLevels(path), name].join('.')} of warehouse ${warehouse}`
}

function sharedPart(other: Twin, row: { readonly metadata_key: string }): string {
  return other.metadata_key === row.metadata_key ? 'metadata file' : 'UUID'
}

/** Roots of others whose folders are told to an engine; where there are more, their tables have places there. */
const maxRoots = 10_000

/**
 * What others have inside a purge's own locations: their places, the paths that they write to, and the folders of their roots.
 * None of them can be added while the purge is not over.
 */
export async function enclosedPlaces(executor: Executor, purge: Purge): Promise<string[]> {
  const own = purge.locations.map(({ location }) => placeKey(location))
  const enclosed = new Map<string, string>()
  for (const key of own) {
    for (const overlap of await findOverlaps(executor, key, { writePaths: true })) {
      const { location, placeKey: place, holder } = overlap
      const isOther = holder.kind === 'entry' || holder.purgeId !== purge.id
      if (isOther && place.startsWith(key) && !own.includes(place)) enclosed.set(place, location)
    }
    for (const root of await rootsIn(executor, purge, key, maxRoots)) {
      const folder = parentLocation(root)
      const around = ancestorKeys(placeKey(folder))
      if (own.includes(placeKey(folder)) || around.some((place) => enclosed.has(place))) continue
      enclosed.set(placeKey(folder), folder)
    }
  }
  return [...enclosed.values()]
}

/**
 * Whether something of others lies in one of a purge's locations, is at the very same place, or has it inside: then it must not be
 * erased as a whole. A write path around a location that the catalog has assigned does not count: nobody else's file gets a
 * name with that suffix.
 */
export async function isOverlapped(
  executor: Executor,
  purge: Purge,
  { location, owned }: PurgeLocation,
): Promise<boolean> {
  const key = placeKey(location)
  const overlaps = await findOverlaps(executor, location, { writePaths: true })
  const isForeign = overlaps.some(({ holder, reserved, placeKey: place }) => {
    if (holder.kind === 'purge' && holder.purgeId === purge.id) return false
    return reserved || !owned || place.startsWith(key)
  })
  return isForeign || (await foreignRootIn(executor, purge, key)) !== undefined
}
