import type { Transaction } from '../../database/database.ts'
import { namespaceLevels } from '../../database/namespace-path.ts'
import { findOverlaps, holderText, insertPlace, lockPlaces, type Overlap } from '../../database/places.ts'
import { erasedTwin, liveTwins, unfinishedTwin } from '../../database/twins.ts'
import { IcebergError } from '../../iceberg/errors.ts'
import { type Identifier, identifierText } from '../../iceberg/identifier.ts'
import { placeKey } from '../../storage/location.ts'
import type { MetadataDocument } from '../metadata-document.ts'
import { type CatalogContext, mutate } from './context.ts'
import {
  type Entry,
  findEntry,
  identityOf,
  insertEntry,
  type Pointer,
  requireNamespace,
  swapPointer,
} from './entries.ts'
import { entryExists, type Kind } from './kinds.ts'
import { checkLocation } from './locations.ts'
import { noteWritePaths, writePathsOf } from './write-paths.ts'

export interface Registration {
  readonly identifier: Identifier
  readonly metadataLocation: string
  /** Moves the pointer of an entry that is there. */
  readonly overwrite: boolean
}

export interface Registered<M> {
  readonly document: MetadataDocument<M> & { readonly location: string }
  /** What the new entry shares with live ones; the purge's guard protects them. */
  readonly warnings: readonly string[]
}

/**
 * Makes an entry of a metadata file that exists. People bring their tables: sharing files with live entries is only
 * warned of. The files of an unfinished purge are refused: they are being erased.
 *
 * With `overwrite`, an entry of that name gets the new pointer and keeps its identity. Its places stay its own while
 * it has the same uuid; those of a different table are released, as by a drop that erases nothing.
 *
 * Throws NoSuchNamespaceException, AlreadyExistsException, NotFoundException for a missing file, BadRequestException
 * for one that is no metadata, LocationConflictException.
 */
export async function register<M>(
  context: CatalogContext,
  kind: Kind<M>,
  { identifier, metadataLocation, overwrite }: Registration,
  alongside?: (tx: Transaction, registered: Registered<M>) => Promise<void>,
): Promise<Registered<M>> {
  const { warehouse, database } = context
  checkLocation(metadataLocation)
  await requireNamespace(database.reader, warehouse, identifier.namespace)
  refuseTaken(kind, await findEntry(database.reader, warehouse, identifier), identifier, overwrite)
  const readAt = await database.now(database.reader)
  const document = (await context.documents.reload(metadataLocation, kind.parse)) as Registered<M>['document']
  const pointer: Pointer = {
    metadataLocation,
    location: kind.location(document.model),
    uuid: kind.uuid(document.model),
  }
  checkLocation(pointer.location)
  const registered = await mutate(context, async (tx) => {
    await lockPlaces(tx, 'exclusive')
    const existing = await findEntry(tx, warehouse, identifier, { lock: true })
    refuseTaken(kind, existing, identifier, overwrite)
    const entryId = existing?.id ?? context.uuid()
    const overlaps = await findOverlaps(tx, pointer.location)
    await refuseUnfinishedPurge(tx, pointer, overlaps)
    await refuseErased(tx, pointer, readAt)
    const result = { document, warnings: await sharedWith(tx, pointer, overlaps, entryId) }
    const now = context.now()
    if (existing) await repoint(tx, existing, pointer, now)
    else await insertEntry(tx, warehouse, kind, identifier, { ...pointer, id: entryId, now })
    await placeOnce(tx, pointer.location, entryId, now)
    await noteWritePaths(tx, writePathsOf(kind, document.model), { entryId, now })
    await alongside?.(tx, result)
    return result
  })
  context.observer.committed(kind.kind)
  return registered
}

function refuseTaken(
  kind: Kind<unknown>,
  existing: Entry | undefined,
  identifier: Identifier,
  overwrite: boolean,
): void {
  if (!existing || (overwrite && existing.kind === kind.kind)) return
  throw entryExists(kind, existing.kind, identifier)
}

async function repoint(tx: Transaction, entry: Entry, pointer: Pointer, now: number): Promise<void> {
  if (entry.uuid !== (pointer.uuid ?? null)) {
    await tx.deleteFrom('places').where('entry_id', '=', entry.id).execute()
  }
  await swapPointer(tx, entry.id, entry.metadata_location, pointer, now)
}

async function placeOnce(tx: Transaction, location: string, entryId: string, now: number): Promise<void> {
  const key = placeKey(location)
  const own = await tx
    .selectFrom('places')
    .select('id')
    .where('entry_id', '=', entryId)
    .where('place_key', '=', key)
    .where('reserved', '=', 1)
    .executeTakeFirst()
  if (own) return
  await insertPlace(tx, { location, owned: false, entryId, now })
}

/** Same root, same uuid, or within the reserved places (metadata file and location) of a purge that is not finished. */
async function refuseUnfinishedPurge(
  tx: Transaction,
  { metadataLocation, location, uuid }: Pointer,
  overlaps: readonly Overlap[],
): Promise<void> {
  const same = await unfinishedTwin(tx, identityOf({ metadataLocation, uuid }))
  const held = [...overlaps, ...(await findOverlaps(tx, metadataLocation))]
    .map(({ holder }) => holder)
    .find((holder) => holder.kind === 'purge')
  const purgeId = same?.id ?? (held?.kind === 'purge' ? held.purgeId : undefined)
  if (purgeId === undefined) return
  throw new IcebergError(
    'LocationConflictException',
    `Cannot register ${metadataLocation} (location ${location}): its files belong to an unfinished purge ${purgeId}.`,
  )
}

/** A purge of the same root or uuid that has begun and ended since the file was read: nothing is left to register. */
async function refuseErased(
  tx: Transaction,
  { metadataLocation, uuid }: Pointer,
  readAt: number,
): Promise<void> {
  const erased = await erasedTwin(tx, identityOf({ metadataLocation, uuid }), readAt)
  if (!erased) return
  throw new IcebergError(
    'NotFoundException',
    `Cannot register ${metadataLocation}: it was erased by purge ${erased.id} in this moment.`,
  )
}

async function sharedWith(
  tx: Transaction,
  { metadataLocation, location, uuid }: Pointer,
  overlaps: readonly Overlap[],
  entryId: string,
): Promise<string[]> {
  const warnings = overlaps
    .map(({ holder, location: other }) => ({ holder, other }))
    .filter(({ holder }) => holder.kind === 'entry' && holder.entryId !== entryId)
    .map(({ holder, other }) => `Location ${location} overlaps ${other} of ${holderText(holder)}.`)
  const identity = identityOf({ metadataLocation, uuid })
  const same = await liveTwins(tx, identity, { except: entryId, limit: 10 })
  for (const { warehouse, path, name, kind, metadata_key } of same) {
    const shared = metadata_key === identity.metadataKey ? 'metadata file' : 'UUID'
    const other = identifierText({ namespace: namespaceLevels(path), name })
    warnings.push(`The ${shared} is also that of ${kind} ${other} of warehouse ${warehouse}.`)
  }
  return warnings
}
