import { sql } from 'kysely'
import type { Transaction } from '../../database/database.ts'

/** Rows that one transaction removes: more of them would keep the requests of a SQLite database waiting. */
export const prunedAtATime = 200

/**
 * Removes purges of a warehouse that ended before a time, the oldest first; gives their number. One that has a twin which is
 * not over stays: it is what tells that the twin's files are erased, and its drop cannot be undone.
 */
export async function prune(tx: Transaction, warehouse: string, before: number): Promise<number> {
  // The states are literals: only then does a database see that the partial index holds the rows.
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM purges
    WHERE state IN ('succeeded', 'cancelled') AND warehouse = ${warehouse} AND finished_at < ${before}
      AND NOT EXISTS (SELECT 1 FROM purges AS twin
        WHERE twin.state NOT IN ('succeeded', 'cancelled') AND twin.metadata_key = purges.metadata_key)
      AND NOT EXISTS (SELECT 1 FROM purges AS twin
        WHERE twin.state NOT IN ('succeeded', 'cancelled') AND twin.uuid = purges.uuid)
    ORDER BY finished_at LIMIT ${sql.lit(prunedAtATime)}`.execute(tx)
  if (rows.length === 0) return 0
  const ids = rows.map(({ id }) => id)
  await tx.deleteFrom('purge_messages').where('purge_id', 'in', ids).execute()
  await tx.deleteFrom('purges').where('id', 'in', ids).execute()
  return rows.length
}
