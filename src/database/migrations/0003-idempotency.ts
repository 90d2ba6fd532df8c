import { sql } from 'kysely'
import { bytewiseText, type Migration, run } from './migration.ts'

/** Answers kept for replay under the client's Idempotency-Key. Columns: ../schema/idempotency.ts. */
export const idempotency: Migration = {
  name: '0003-idempotency',
  async up(tx, dialect) {
    const text = bytewiseText(dialect)
    await run(tx, [
      sql`CREATE TABLE idempotency_keys (
        warehouse ${text} NOT NULL,
        key ${text} NOT NULL,
        fingerprint text NOT NULL,
        status integer NOT NULL,
        body text,
        created_at bigint NOT NULL,
        expires_at bigint NOT NULL,
        PRIMARY KEY (warehouse, key)
      )`,
      sql`CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at)`,
    ])
  },
}
