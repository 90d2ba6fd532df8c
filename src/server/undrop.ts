/**
 * The undrop: the catalog gets the entry back and the ledger ends the purge in one transaction, as long as no file may
 * have been deleted.
 */
import { IcebergError } from '../iceberg/errors.ts'
import { PurgeStateError } from '../purge/ledger/operations.ts'
import type { Dependencies } from './deps.ts'

/**
 * Brings the table or view of a purge back, under its name or another one of its warehouse. Throws NoSuchPurgeException,
 * NoSuchNamespaceException, AlreadyExistsException when the name was given away, ConflictException when the purge has begun or
 * is over, or another one erases or has erased the same files, and NotFoundException when the metadata file is gone.
 */
export async function undrop(
  deps: Pick<Dependencies, 'ledger' | 'warehouses'>,
  id: string,
  as?: { readonly namespace: readonly string[]; readonly name: string },
): Promise<void> {
  const record = await deps.ledger.get(id)
  const warehouse = record && deps.warehouses.get(record.purge.warehouse)
  if (!record || !warehouse) throw noSuchPurge(id)
  const { kind, namespace, name, uuid, metadataLocation, locations, request } = record.purge
  const entry = {
    entryId: record.entryId,
    kind,
    uuid,
    metadataLocation,
    location: locations[0]?.location ?? metadataLocation,
    droppedAt: request.requestedAt,
  }
  try {
    await warehouse.catalog.restore(as ?? { namespace, name }, entry, async (tx) => {
      const state = await deps.ledger.undrop(tx, id)
      // Pruned since it was looked at: it was over.
      if (state === undefined) throw noSuchPurge(id)
    })
  } catch (error) {
    if (!(error instanceof PurgeStateError)) throw error
    throw new IcebergError('ConflictException', error.message)
  }
}

function noSuchPurge(id: string): IcebergError {
  return new IcebergError('NoSuchPurgeException', `Purge does not exist: ${id.slice(0, 100)}`)
}
