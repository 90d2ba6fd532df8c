import { sql } from 'kysely'
import { bytewiseText, type Migration, run } from './migration.ts'

/**
 * How far each sink of events is, so that one that is away does not stop the others. The lease of sending is each sink's own
 * now. Columns: ../schema/events.ts.
 */
export const sinks: Migration = {
  name: '0008-sinks',
  async up(tx, dialect) {
    const text = bytewiseText(dialect)
    await run(tx, [
      sql`ALTER TABLE event_outbox DROP COLUMN lease_owner`,
      sql`ALTER TABLE event_outbox DROP COLUMN lease_expires_at`,
      sql`ALTER TABLE event_outbox ADD COLUMN last_position bigint NOT NULL DEFAULT 0`,

      sql`ALTER TABLE events ADD COLUMN position bigint`,
      sql`CREATE UNIQUE INDEX events_by_position ON events (position)`,
      sql`CREATE INDEX events_without_position ON events (sequence) WHERE position IS NULL`,

      sql`CREATE TABLE event_sinks (
        name ${text} PRIMARY KEY,
        position bigint NOT NULL,
        lease_owner text,
        lease_expires_at bigint
      )`,
    ])
  },
}
