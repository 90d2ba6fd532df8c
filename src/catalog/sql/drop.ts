import type { Transaction } from '../../database/database.ts'
import { lockPlaces } from '../../database/places.ts'
import type { Identifier } from '../../iceberg/identifier.ts'
import { placeKey } from '../../storage/location.ts'
import type { DroppedEntry } from '../catalog.ts'
import { type CatalogContext, mutate } from './context.ts'
import { removeEntry } from './entries.ts'
import type { Kind } from './kinds.ts'

/**
 * Removes an entry, whatever its metadata file is like: none is read. `alongside` may move the entry's places to a
 * purge; those that it leaves are released. A commit at the same time comes wholly before, so that its pointer is the
 * one reported, or after, and fails. Throws NoSuchTableException, NoSuchViewException.
 */
export async function drop(
  context: CatalogContext,
  kind: Kind<unknown>,
  identifier: Identifier,
  alongside?: (tx: Transaction, dropped: DroppedEntry) => Promise<void>,
): Promise<DroppedEntry> {
  return await mutate(context, async (tx) => {
    await lockPlaces(tx, 'shared')
    const entry = await removeEntry(tx, context.warehouse, kind, identifier)
    const held = await tx
      .selectFrom('places')
      .select(['id', 'location', 'place_key', 'owned', 'reserved'])
      .where('entry_id', '=', entry.id)
      .orderBy('created_at', 'desc')
      .execute()
    const places = held.filter(({ reserved }) => reserved === 1)
    const current = placeKey(entry.location)
    const dropped: DroppedEntry = {
      entryId: entry.id,
      kind: kind.kind,
      warehouse: context.warehouse,
      identifier,
      uuid: entry.uuid ?? undefined,
      metadataLocation: entry.metadata_location,
      places: places
        .toSorted((a, b) => Number(b.place_key === current) - Number(a.place_key === current))
        .map(({ id, location, owned }) => ({ id, location, owned: owned === 1 })),
    }
    await alongside?.(tx, dropped)
    if (places.length < held.length) await sendAlong(tx, entry.id, places)
    await tx.deleteFrom('places').where('entry_id', '=', entry.id).execute()
    return dropped
  })
}

/** The write paths of an entry go where its places have gone. */
async function sendAlong(
  tx: Transaction,
  entryId: string,
  places: readonly { readonly id: string }[],
): Promise<void> {
  const ids = places.map(({ id }) => id)
  const moved = await tx
    .selectFrom('places')
    .select('purge_id')
    .where('id', 'in', ids)
    .where('purge_id', 'is not', null)
    .executeTakeFirst()
  if (!moved) return
  await tx
    .updateTable('places')
    .set({ purge_id: moved.purge_id, entry_id: null })
    .where('entry_id', '=', entryId)
    .where('reserved', '=', 0)
    .execute()
}
