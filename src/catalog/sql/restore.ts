import { sql } from 'kysely'
import type { Transaction } from '../../database/database.ts'
import { namespaceLevels } from '../../database/namespace-path.ts'
import { lockPlaces } from '../../database/places.ts'
import { erasedTwin, unfinishedTwin } from '../../database/twins.ts'
import { IcebergError } from '../../iceberg/errors.ts'
import { type Identifier, identifierText } from '../../iceberg/identifier.ts'
import type { RestoredEntry } from '../catalog.ts'
import { type CatalogContext, mutate } from './context.ts'
import { metadataFileExists, missingFile } from './documents.ts'
import { identityOf, insertEntry } from './entries.ts'
import { tables, views } from './kinds.ts'

/**
 * Makes the entry of a dropped table or view again, as it was. `alongside` gives its places back and ends its purge, first: it knows
 * whether that is possible. Throws NoSuchNamespaceException, AlreadyExistsException when the name was given away meanwhile,
 * ConflictException when a purge of the same table under another name erases the files or has erased them, and NotFoundException
 * when the metadata file is gone.
 */
export async function restore(
  context: CatalogContext,
  identifier: Identifier,
  entry: RestoredEntry,
  alongside: (tx: Transaction) => Promise<void>,
): Promise<void> {
  const kind = entry.kind === 'table' ? tables : views
  const isThere = await metadataFileExists(context.io, entry.metadataLocation)
  await mutate(context, async (tx) => {
    // As registering does: a claim that does not see the entry is seen here.
    await lockPlaces(tx, 'exclusive')
    await alongside(tx)
    await refuseErased(tx, identifier, entry)
    if (!isThere) throw missingFile(entry.metadataLocation)
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

/**
 * Refuses while another purge of the same table has begun, or is claimed and may begin at any moment. One that is not has still
 * to pass the guard, which will find the entry. One that has ended since the drop has left nothing to come back.
 */
async function refuseErased(tx: Transaction, identifier: Identifier, entry: RestoredEntry): Promise<void> {
  const identity = identityOf(entry)
  const atWork = await unfinishedTwin(
    tx,
    identity,
    sql`begun_at IS NOT NULL OR state IN ('running', 'handed_off')`,
  )
  const erased = atWork ?? (await erasedTwin(tx, identity, entry.droppedAt))
  if (!erased) return
  const does = atWork ? 'erases' : 'has erased'
  const twin = identifierText({ namespace: namespaceLevels(erased.path), name: erased.name })
  throw new IcebergError(
    'ConflictException',
    `Cannot bring ${identifierText(identifier)} back: its files are also those of ${twin}, and purge ${erased.id} ${does} them.`,
  )
}
