import type { Transaction } from '../../database/database.ts'
import { lockPlaces } from '../../database/places.ts'
import type { Identifier } from '../../iceberg/identifier.ts'
import type { RestoredEntry } from '../catalog.ts'
import { type CatalogContext, mutate } from './context.ts'
import { insertEntry } from './entries.ts'
import { tables, views } from './kinds.ts'

/**
 * Makes the entry of a dropped table or view again, as it was. `alongside` gives its places back, first: it knows whether that is possible. Throws
 * NoSuchNamespaceException, and AlreadyExistsException when the name was given away meanwhile.
 */
export async function restore(
  context: CatalogContext,
  identifier: Identifier,
  entry: RestoredEntry,
  alongside: (tx: Transaction) => Promise<void>,
): Promise<void> {
  const kind = entry.kind === 'table' ? tables : views
  await mutate(context, async (tx) => {
    await lockPlaces(tx, 'shared')
    await alongside(tx)
    await insertEntry(tx, context.warehouse, kind, identifier, {
      metadataLocation: entry.metadataLocation,
      location: entry.location,
      uuid: entry.uuid,
      id: entry.entryId,
      now: context.now(),
    })
  })
  context.observer.committed(entry.kind)
}
