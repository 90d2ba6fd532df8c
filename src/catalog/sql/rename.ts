import type { Transaction } from '../../database/database.ts'
import { sqlState } from '../../database/postgres/errors.ts'
import { IcebergError } from '../../iceberg/errors.ts'
import { type Identifier, identifierText } from '../../iceberg/identifier.ts'
import { type CatalogContext, mutate } from './context.ts'
import { findEntry, requireEntry, requireNamespace } from './entries.ts'
import type { Kind } from './kinds.ts'

/**
 * Gives an entry another name, in whichever namespace of the warehouse; metadata and places stay as they are. Throws
 * NoSuchTableException or NoSuchViewException, NoSuchNamespaceException, AlreadyExistsException.
 */
export async function rename(
  context: CatalogContext,
  kind: Kind<unknown>,
  from: Identifier,
  to: Identifier,
  alongside?: (tx: Transaction) => Promise<void>,
): Promise<void> {
  await mutate(context, async (tx) => {
    const entry = await requireEntry(tx, context.warehouse, kind, from, { lock: true })
    const { id: namespaceId } = await requireNamespace(tx, context.warehouse, to.namespace)
    const existing = await findEntry(tx, context.warehouse, to)
    if (existing) throw nameTaken(kind, existing.kind, from, to)
    try {
      await tx
        .updateTable('entries')
        .set({ namespace_id: namespaceId, name: to.name, updated_at: context.now() })
        .where('id', '=', entry.id)
        .execute()
    } catch (error) {
      // PostgreSQL: somebody has made an entry of that name since it was looked for.
      if (sqlState(error) === '23505') throw nameTaken(kind, kind.kind, from, to)
      throw error
    }
    await alongside?.(tx)
  })
}

/** Iceberg Java's texts; a table that meets a table says so without the source's name. */
function nameTaken(
  kind: Kind<unknown>,
  found: 'table' | 'view',
  from: Identifier,
  to: Identifier,
): IcebergError {
  const target = identifierText(to)
  if (kind.kind === 'table' && found === 'table') {
    return new IcebergError('AlreadyExistsException', `Table already exists: ${target}`)
  }
  const title = found === 'table' ? 'Table' : 'View'
  return new IcebergError(
    'AlreadyExistsException',
    `Cannot rename ${identifierText(from)} to ${target}. ${title} already exists`,
  )
}
