import { sql } from 'kysely'
import type { Transaction } from './database.ts'
import { dialectOf } from './dialect.ts'

/** PostgreSQL's channel on which the servers tell each other that a purge may be due. */
export const purgeChannel = 'moulin_purges'

/** Tells every server that listens, when the transaction commits, that a purge may be due. SQLite has no such thing. */
export async function announcePurge(tx: Transaction): Promise<void> {
  if (dialectOf(tx) !== 'postgres') return
  await sql`SELECT pg_notify(${sql.lit(purgeChannel)}, '')`.execute(tx)
}
