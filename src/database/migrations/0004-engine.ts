import { sql } from 'kysely'
import { bytewiseText, type Migration, run } from './migration.ts'

/** What the engine adds to the ledger, and the certificates. Columns: ../schema/purges.ts. */
export const engine: Migration = {
  name: '0004-engine',
  async up(tx, dialect) {
    const text = bytewiseText(dialect)
    await run(tx, [
      sql`ALTER TABLE purges ADD COLUMN begun_at bigint`,
      sql`ALTER TABLE purges ADD COLUMN fruitless integer NOT NULL DEFAULT 0`,
      sql`ALTER TABLE purges ADD COLUMN tally text NOT NULL DEFAULT '{}'`,
      sql`ALTER TABLE purges ADD COLUMN expected bigint`,
      sql`ALTER TABLE purges ADD COLUMN by_location integer NOT NULL DEFAULT 0 CHECK (by_location IN (0, 1))`,
      sql`ALTER TABLE purges ADD COLUMN held_by text CHECK (held_by IN ('guard', 'operator'))`,
      sql`CREATE INDEX purges_waiting ON purges (warehouse, next_attempt_at, id)
        WHERE state IN ('retained', 'handed_off')`,
      sql`CREATE INDEX purges_ended ON purges (finished_at, warehouse) WHERE state IN ('succeeded', 'cancelled')`,

      sql`CREATE TABLE certificates (
        purge_id text PRIMARY KEY,
        warehouse ${text} NOT NULL,
        sequence bigint NOT NULL,
        hash text NOT NULL,
        body text NOT NULL,
        created_at bigint NOT NULL,
        UNIQUE (warehouse, sequence)
      )`,
      sql`CREATE TABLE certificate_heads (
        warehouse ${text} PRIMARY KEY,
        sequence bigint NOT NULL,
        hash text
      )`,
    ])
  },
}
