import type { Transaction } from '../../database/database.ts'
import { dialectOf } from '../../database/dialect.ts'
import { namespacePath } from '../../database/namespace-path.ts'
import { IcebergError } from '../../iceberg/errors.ts'
import { type Namespace, namespaceText } from '../../iceberg/identifier.ts'
import type { NamespaceInfo, Properties, PropertiesChange } from '../catalog.ts'
import { type CatalogContext, mutate } from './context.ts'
import { noSuchNamespace, requireNamespace } from './entries.ts'
import { checkLocation } from './locations.ts'

/** Throws AlreadyExistsException, NoSuchNamespaceException for the parent, BadRequestException for `location`. */
export async function createNamespace(
  context: CatalogContext,
  namespace: Namespace,
  properties: Properties,
  alongside?: (tx: Transaction, info: NamespaceInfo) => Promise<void>,
): Promise<NamespaceInfo> {
  checkProperties(properties)
  const info: NamespaceInfo = { namespace, properties }
  const parent = namespace.slice(0, -1)
  return await mutate(context, async (tx) => {
    const parentId = parent.length === 0 ? null : (await requireNamespace(tx, context.warehouse, parent)).id
    const { numInsertedOrUpdatedRows } = await tx
      .insertInto('namespaces')
      .values({
        id: context.uuid(),
        warehouse: context.warehouse,
        path: namespacePath(namespace),
        parent_id: parentId,
        properties: JSON.stringify(properties),
        created_at: context.now(),
      })
      .onConflict((conflict) => conflict.columns(['warehouse', 'path']).doNothing())
      .executeTakeFirstOrThrow()
    if (numInsertedOrUpdatedRows !== 1n) {
      throw new IcebergError(
        'AlreadyExistsException',
        `Namespace already exists: ${namespaceText(namespace)}`,
      )
    }
    await alongside?.(tx, info)
    return info
  })
}

/** Throws NoSuchNamespaceException. */
export async function loadNamespace(context: CatalogContext, namespace: Namespace): Promise<NamespaceInfo> {
  const row = await requireNamespace(context.database.reader, context.warehouse, namespace)
  return { namespace, properties: JSON.parse(row.properties) as Properties }
}

/** Throws NoSuchNamespaceException; NamespaceNotEmptyException when a namespace, a table or a view is in it. */
export async function dropNamespace(
  context: CatalogContext,
  namespace: Namespace,
  alongside?: (tx: Transaction) => Promise<void>,
): Promise<void> {
  await mutate(context, async (tx) => {
    const { id } = await lockNamespace(tx, context.warehouse, namespace)
    const child = await tx
      .selectFrom('namespaces')
      .select('id')
      .where('parent_id', '=', id)
      .executeTakeFirst()
    const entry = await tx
      .selectFrom('entries')
      .select('kind')
      .where('namespace_id', '=', id)
      .executeTakeFirst()
    const content = child ? 'namespace' : entry?.kind
    if (content) {
      throw new IcebergError(
        'NamespaceNotEmptyException',
        `Namespace ${namespaceText(namespace)} is not empty: it holds at least one ${content}.`,
      )
    }
    await tx.deleteFrom('namespaces').where('id', '=', id).execute()
    await alongside?.(tx)
  })
}

/**
 * Throws NoSuchNamespaceException, UnprocessableEntityException when a key is to be removed and updated,
 * BadRequestException for `location`.
 */
export async function updateNamespaceProperties(
  context: CatalogContext,
  namespace: Namespace,
  removals: readonly string[],
  updates: Properties,
  alongside?: (tx: Transaction, change: PropertiesChange) => Promise<void>,
): Promise<PropertiesChange> {
  const updated = Object.keys(updates)
  const both = updated.filter((key) => removals.includes(key))
  if (both.length > 0) {
    throw new IcebergError(
      'UnprocessableEntityException',
      `Invalid namespace update: cannot set and remove the same keys: ${both.join(', ')}`,
    )
  }
  checkProperties(updates)
  return await mutate(context, async (tx) => {
    const row = await lockNamespace(tx, context.warehouse, namespace)
    const properties = new Map(Object.entries(JSON.parse(row.properties) as Properties))
    const distinct = [...new Set(removals)]
    const removed = distinct.filter((key) => properties.delete(key))
    const missing = distinct.filter((key) => !removed.includes(key))
    for (const [key, value] of Object.entries(updates)) properties.set(key, value)
    await tx
      .updateTable('namespaces')
      .set({ properties: JSON.stringify(Object.fromEntries(properties)) })
      .where('id', '=', row.id)
      .execute()
    const change: PropertiesChange = { updated, removed, missing }
    await alongside?.(tx, change)
    return change
  })
}

/** The row of a namespace, alone with it: whoever makes something inside has to wait. */
async function lockNamespace(tx: Transaction, warehouse: string, namespace: Namespace) {
  const row = await tx
    .selectFrom('namespaces')
    .select(['id', 'properties'])
    .where('warehouse', '=', warehouse)
    .where('path', '=', namespacePath(namespace))
    .$if(dialectOf(tx) === 'postgres', (query) => query.forUpdate())
    .executeTakeFirst()
  if (!row) throw noSuchNamespace(namespace)
  return row
}

/** `location` is where the namespace's tables are put, when it is set. */
function checkProperties(properties: Properties): void {
  const { location } = properties
  if (location !== undefined) checkLocation(location)
}
