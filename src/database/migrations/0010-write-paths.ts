import { sql } from 'kysely'
import { type Migration, run } from './migration.ts'

/** Where tables write outside of their locations stands among the places, and reserves nothing. */
export const writePaths: Migration = {
  name: '0010-write-paths',
  async up(tx) {
    await run(tx, [
      sql`ALTER TABLE places ADD COLUMN reserved integer NOT NULL DEFAULT 1 CHECK (reserved IN (0, 1))`,
    ])
  },
}
