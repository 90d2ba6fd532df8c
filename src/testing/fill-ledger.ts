/** Rows of the ledger by the hundred thousand, for what must not become slower with them. */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Database } from '../database/database.ts'
import type { PurgeState } from '../purge/states.ts'

export interface Rows {
  readonly state: PurgeState
  readonly warehouse: string
  readonly count: number
  /** Milliseconds from now, when they are due; before it when negative. @default 0 */
  readonly dueIn?: number
}

/** Adds rows of purges that ended, or were recorded, long ago, with the paths and ids of real ones. */
export async function fillLedger(
  database: Database,
  { state, warehouse, count, dueIn = 0 }: Rows,
): Promise<void> {
  const isOver = ['succeeded', 'failed', 'cancelled'].includes(state)
  const prefix = `${randomUUID()}-`
  const path = sql`${`s3://lake/${prefix}`} || i || '-8b0c2a90-53d1-4b5e-9d6a/metadata/00001-5a7f.metadata.json'`
  const series =
    database.dialect === 'sqlite'
      ? sql`(WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ${count}) SELECT i FROM c)`
      : sql`(SELECT generate_series(1, ${count}::int) AS i)`
  await database.transaction(async (tx) => {
    const now = await database.now(tx)
    await sql`
      INSERT INTO purges (
        id, state, kind, warehouse, namespace, name, entry_id, uuid, metadata_location, metadata_key, locations, purger,
        principal, request_id, client, requested_at, updated_at, finished_at, next_attempt_at, attempts, max_attempts,
        priority, lease_epoch, counts
      )
      SELECT ${sql.lit(prefix)} || i, ${sql.lit(state)}, 'table', ${sql.lit(warehouse)}, 'ns', 'n' || i, 'e' || i,
        ${sql.lit(prefix)} || 'u' || i, ${path}, ${path}, '[]', 'x', 'p', 'r', 'c', i, i,
        ${isOver ? sql`i` : sql`NULL`}, ${sql.lit(now + dueIn)}, 0, 5, 0, 0, '{}'
      FROM ${series} AS series`.execute(tx)
  })
}
