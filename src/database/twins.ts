/**
 * Twins: the same table twice, as two registrations of one metadata file, or of two files with one UUID. Whatever erases the
 * one erases the other. Here is how they are found; each query is a search in an index, however many purges there are: the
 * conditions on states are written out as those of the partial indexes are, since SQLite proves nothing of parameters, and
 * each column has a query of its own, since it searches no partial index for an OR.
 */
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Executor } from './database.ts'

/** What twins have in common: either is enough. */
export interface TableIdentity {
  /** Canonical form of the metadata file's location. */
  readonly metadataKey: string
  readonly uuid: string | null
}

/** A live entry or a purge; `path` is that of its namespace. */
export interface Twin {
  readonly id: string
  readonly warehouse: string
  readonly path: string
  readonly name: string
  readonly kind: 'table' | 'view'
  readonly metadata_key: string
}

/** Condition on rows of `purges`, in the words of the partial indexes. */
export const unfinished = sql<SqlBool>`state NOT IN ('succeeded', 'cancelled')`

/** The live entries of a table, but for one. */
export async function liveTwins(
  executor: Executor,
  { metadataKey, uuid }: TableIdentity,
  options: { readonly except?: string; readonly limit: number },
): Promise<Twin[]> {
  return await executor
    .selectFrom('entries')
    .innerJoin('namespaces', 'namespaces.id', 'entries.namespace_id')
    .select(['entries.id', 'entries.warehouse', 'path', 'name', 'kind', 'metadata_key'])
    .where((where) =>
      uuid === null
        ? where('metadata_key', '=', metadataKey)
        : where.or([where('metadata_key', '=', metadataKey), where('uuid', '=', uuid)]),
    )
    .where('entries.id', '<>', options.except ?? '')
    .limit(options.limit)
    .execute()
}

/** A purge of the table that is not over, for which the condition holds. */
export async function unfinishedTwin(
  executor: Executor,
  identity: TableIdentity,
  condition: RawBuilder<SqlBool> = sql`TRUE`,
): Promise<Twin | undefined> {
  return await purgeTwin(executor, identity, sql`${unfinished} AND (${condition})`)
}

/**
 * A purge of the table that has erased files, and ended at or after a time.
 *
 * @param since milliseconds since the epoch, by the database's clock.
 */
export async function erasedTwin(
  executor: Executor,
  identity: TableIdentity,
  since: number,
): Promise<Twin | undefined> {
  const condition = sql<SqlBool>`state = 'succeeded' AND begun_at IS NOT NULL AND finished_at >= ${since}`
  return await purgeTwin(executor, identity, condition)
}

async function purgeTwin(
  executor: Executor,
  { metadataKey, uuid }: TableIdentity,
  condition: RawBuilder<SqlBool>,
): Promise<Twin | undefined> {
  const first = async (column: 'metadata_key' | 'uuid', value: string) =>
    await executor
      .selectFrom('purges')
      .select(['id', 'warehouse', 'namespace as path', 'name', 'kind', 'metadata_key'])
      .where(column, '=', value)
      .where(condition)
      .limit(1)
      .executeTakeFirst()
  return (await first('metadata_key', metadataKey)) ?? (uuid === null ? undefined : await first('uuid', uuid))
}
