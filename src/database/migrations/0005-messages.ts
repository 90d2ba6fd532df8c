import { sql } from 'kysely'
import { bytewiseText, type Migration, run } from './migration.ts'

/** What external engines say about purges that were handed off to them. Columns: ../schema/purges.ts. */
export const messages: Migration = {
  name: '0005-messages',
  async up(tx, dialect) {
    await run(tx, [
      sql`CREATE TABLE purge_messages (
        purge_id text NOT NULL,
        key ${bytewiseText(dialect)} NOT NULL,
        body text NOT NULL,
        received_at bigint NOT NULL,
        PRIMARY KEY (purge_id, key)
      )`,
    ])
  },
}
