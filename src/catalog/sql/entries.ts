/** The statements on rows of entries. */
import type { Selectable } from 'kysely'
import type { Executor, Transaction } from '../../database/database.ts'
import { dialectOf } from '../../database/dialect.ts'
import { namespacePath } from '../../database/namespace-path.ts'
import type { EntryTable } from '../../database/schema/catalog.ts'
import type { TableIdentity } from '../../database/twins.ts'
import { IcebergError } from '../../iceberg/errors.ts'
import { type Identifier, type Namespace, namespaceText } from '../../iceberg/identifier.ts'
import { canonicalLocation } from '../../storage/location.ts'
import { entryExists, type Kind, noSuchEntry } from './kinds.ts'

export type Entry = Selectable<EntryTable>

/** The entry of a name, of either kind. With `lock`, its row stays as it is until the transaction ends. */
export async function findEntry(
  executor: Executor,
  warehouse: string,
  { namespace, name }: Identifier,
  options: { lock?: boolean } = {},
): Promise<Entry | undefined> {
  return await executor
    .selectFrom('entries')
    .innerJoin('namespaces', 'namespaces.id', 'entries.namespace_id')
    .selectAll('entries')
    .where('namespaces.warehouse', '=', warehouse)
    .where('namespaces.path', '=', namespacePath(namespace))
    .where('entries.name', '=', name)
    .$if((options.lock ?? false) && dialectOf(executor) === 'postgres', (query) => query.forUpdate('entries'))
    .executeTakeFirst()
}

/** As {@link findEntry}; throws NoSuchTableException or NoSuchViewException when there is none of this kind. */
export async function requireEntry(
  executor: Executor,
  warehouse: string,
  kind: Kind<unknown>,
  identifier: Identifier,
  options: { lock?: boolean } = {},
): Promise<Entry> {
  const entry = await findEntry(executor, warehouse, identifier, options)
  if (entry?.kind !== kind.kind) throw noSuchEntry(kind, identifier)
  return entry
}

/** Removes an entry, and gives it as it was then. Throws NoSuchTableException or NoSuchViewException. */
export async function removeEntry(
  tx: Transaction,
  warehouse: string,
  kind: Kind<unknown>,
  { namespace, name }: Identifier,
): Promise<Entry> {
  const entry = await tx
    .deleteFrom('entries')
    .where('namespace_id', '=', (select) =>
      select
        .selectFrom('namespaces')
        .select('id')
        .where('warehouse', '=', warehouse)
        .where('path', '=', namespacePath(namespace)),
    )
    .where('name', '=', name)
    .where('kind', '=', kind.kind)
    .returningAll()
    .executeTakeFirst()
  if (!entry) throw noSuchEntry(kind, { namespace, name })
  return entry
}

/**
 * The id of a namespace that stays until the transaction ends. Throws NoSuchNamespaceException.
 */
export async function requireNamespace(
  executor: Executor,
  warehouse: string,
  namespace: Namespace,
): Promise<{ id: string; properties: string }> {
  const row = await executor
    .selectFrom('namespaces')
    .select(['id', 'properties'])
    .where('warehouse', '=', warehouse)
    .where('path', '=', namespacePath(namespace))
    // Rows that refer to it may be made by others at the same time; dropping it has to wait.
    .$if(executor.isTransaction && dialectOf(executor) === 'postgres', (query) => query.forKeyShare())
    .executeTakeFirst()
  if (!row) throw noSuchNamespace(namespace)
  return row
}

export function noSuchNamespace(namespace: Namespace): IcebergError {
  return new IcebergError('NoSuchNamespaceException', `Namespace does not exist: ${namespaceText(namespace)}`)
}

/** The pointer of an entry: what a commit moves. */
export interface Pointer {
  readonly metadataLocation: string
  readonly location: string
  readonly uuid: string | undefined
}

/** By what the same table under another name is found. */
export function identityOf({ metadataLocation, uuid }: Omit<Pointer, 'location'>): TableIdentity {
  return { metadataKey: canonicalLocation(metadataLocation), uuid: uuid ?? null }
}

/** Makes an entry. Throws NoSuchNamespaceException, AlreadyExistsException. */
export async function insertEntry(
  tx: Transaction,
  warehouse: string,
  kind: Kind<unknown>,
  identifier: Identifier,
  entry: Pointer & { id: string; now: number },
): Promise<void> {
  const { id: namespaceId } = await requireNamespace(tx, warehouse, identifier.namespace)
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('entries')
    .values({
      id: entry.id,
      warehouse,
      namespace_id: namespaceId,
      name: identifier.name,
      kind: kind.kind,
      ...pointerColumns(entry),
      created_at: entry.now,
      updated_at: entry.now,
    })
    .onConflict((conflict) => conflict.columns(['namespace_id', 'name']).doNothing())
    .executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows === 1n) return
  const found = await findEntry(tx, warehouse, identifier)
  throw entryExists(kind, found?.kind ?? kind.kind, identifier)
}

/** Moves an entry's pointer if it still is at `base`; false when it is not, or the entry is gone. */
export async function swapPointer(
  tx: Transaction,
  entryId: string,
  base: string,
  pointer: Pointer,
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('entries')
    .set({ ...pointerColumns(pointer), updated_at: now })
    .where('id', '=', entryId)
    .where('metadata_location', '=', base)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

/** Whether an entry's pointer is at `base`; if so it stays there until the transaction ends. */
export async function holdPointer(tx: Transaction, entryId: string, base: string): Promise<boolean> {
  const row = await tx
    .selectFrom('entries')
    .select('id')
    .where('id', '=', entryId)
    .where('metadata_location', '=', base)
    .$if(dialectOf(tx) === 'postgres', (query) => query.forUpdate())
    .executeTakeFirst()
  return row !== undefined
}

function pointerColumns({ metadataLocation, location, uuid }: Pointer) {
  return {
    metadata_location: metadataLocation,
    metadata_key: canonicalLocation(metadataLocation),
    location,
    uuid: uuid ?? null,
  }
}
