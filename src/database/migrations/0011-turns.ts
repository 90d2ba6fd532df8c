import { sql } from 'kysely'
import { type Migration, run } from './migration.ts'

/**
 * The order in which purges are claimed, as indexes: one for each lane of `purge/ledger/due.ts`, of claimable rows only, with
 * rank and warehouse before the time, so that what is not due yet is not walked. And the count of throttled attempts.
 */
export const turns: Migration = {
  name: '0011-turns',
  async up(tx, dialect) {
    const kind = sql.raw(dialect === 'postgres' ? 'STORED' : 'VIRTUAL')
    await run(tx, [
      sql`ALTER TABLE purges ADD COLUMN throttled integer NOT NULL DEFAULT 0`,
      sql`ALTER TABLE purges ADD COLUMN rank integer
        GENERATED ALWAYS AS (CASE WHEN held_by IS NULL THEN priority ELSE 2147483647 END) ${kind}`,
      sql`DROP INDEX purges_due`,
      sql`DROP INDEX purges_running`,
      sql`DROP INDEX purges_waiting`,
      sql`DROP INDEX purges_ended`,
      sql`CREATE INDEX purges_abandoned ON purges (rank, warehouse, lease_expires_at, id)
        WHERE state = 'running'`,
      sql`CREATE INDEX purges_waiting ON purges (rank, warehouse, next_attempt_at, id)
        WHERE state IN ('pending', 'retained')`,
      sql`CREATE INDEX purges_elsewhere ON purges (rank, warehouse, next_attempt_at, id)
        WHERE state = 'handed_off'`,
      sql`CREATE INDEX purges_ended ON purges (warehouse, finished_at) WHERE state IN ('succeeded', 'cancelled')`,
    ])
  },
}
