import { sql } from 'kysely'
import { type Migration, run } from './migration.ts'

/** Which failures may be tried again by their names. Until now, nothing told what engines elsewhere had said. Columns: ../schema/purges.ts. */
export const ownFailures: Migration = {
  name: '0012-own-failures',
  async up(tx) {
    await run(tx, [
      sql`ALTER TABLE purge_failures ADD COLUMN own integer NOT NULL DEFAULT 0`,
      sql`UPDATE purge_failures SET own = 1
        WHERE stage <> 'data'
        OR purge_id NOT IN (SELECT id FROM purges WHERE purger IN ('kafka', 's3-batch', 'webhook'))`,
    ])
  },
}
