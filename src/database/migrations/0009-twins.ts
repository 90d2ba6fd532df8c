import { sql } from 'kysely'
import { type Migration, run } from './migration.ts'

/** Finds, before a table comes back, what has erased the same table under another name: see ../twins.ts. */
export const twins: Migration = {
  name: '0009-twins',
  async up(tx) {
    await run(tx, [
      sql`CREATE INDEX purges_erased_by_metadata_key ON purges (metadata_key) WHERE state = 'succeeded'`,
      sql`CREATE INDEX purges_erased_by_uuid ON purges (uuid) WHERE state = 'succeeded'`,
    ])
  },
}
