import { sql } from 'kysely'
import { bytewiseText, type Migration, run } from './migration.ts'

/** The ledger. Columns: ../schema/purges.ts. */
export const purges: Migration = {
  name: '0002-purges',
  async up(tx, dialect) {
    const text = bytewiseText(dialect)
    await run(tx, [
      sql`CREATE TABLE purges (
        id text PRIMARY KEY,
        state text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('table', 'view')),
        warehouse ${text} NOT NULL,
        namespace ${text} NOT NULL,
        name ${text} NOT NULL,
        entry_id text NOT NULL,
        uuid text,
        metadata_location ${text} NOT NULL,
        metadata_key ${text} NOT NULL,
        locations text NOT NULL,
        purger text NOT NULL,
        principal text NOT NULL,
        request_id text NOT NULL,
        client text NOT NULL,
        requested_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        started_at bigint,
        finished_at bigint,
        next_attempt_at bigint NOT NULL,
        attempts integer NOT NULL,
        max_attempts integer NOT NULL,
        priority integer NOT NULL,
        lease_owner text,
        lease_epoch bigint NOT NULL,
        lease_expires_at bigint,
        counts text NOT NULL,
        checkpoint text,
        reference text,
        held_from text,
        hold_reason text,
        last_error text
      )`,
      sql`CREATE INDEX purges_unfinished_by_metadata_key ON purges (metadata_key)
        WHERE state NOT IN ('succeeded', 'cancelled')`,
      sql`CREATE INDEX purges_unfinished_by_uuid ON purges (uuid)
        WHERE state NOT IN ('succeeded', 'cancelled')`,
      sql`CREATE INDEX purges_due ON purges (warehouse, priority DESC, next_attempt_at, id)
        WHERE state = 'pending'`,
      sql`CREATE INDEX purges_running ON purges (warehouse, lease_expires_at) WHERE state = 'running'`,
      sql`CREATE INDEX purges_by_request ON purges (requested_at, id)`,

      sql`CREATE TABLE purge_failures (
        purge_id text NOT NULL REFERENCES purges (id) ON DELETE CASCADE,
        path ${text} NOT NULL,
        stage text NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('blocked', 'failed')),
        code text NOT NULL,
        message text NOT NULL,
        failed_at bigint NOT NULL,
        PRIMARY KEY (purge_id, path)
      )`,
    ])
  },
}
