import { sql } from 'kysely'
import type { Database, Executor, Transaction } from './database.ts'
import { migrations } from './migrations/index.ts'

/** The database cannot be brought to what this program needs, or is ahead of it. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

/** Serialises migrating replicas on PostgreSQL (advisory lock). Any constant that no other program uses. */
const migrationLock = 6_855_182_023

/**
 * Applies the migrations that are missing, all in one transaction, and says which. Safe when several replicas start at
 * once: one applies, the others wait and find nothing to do.
 *
 * Throws {@link MigrationError} when the database was migrated by a newer program.
 */
export async function migrate(db: Database): Promise<{ applied: string[] }> {
  return await db.transaction(async (tx) => {
    if (db.dialect === 'postgres') {
      await sql`SELECT pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(tx)
      await sql`SET LOCAL statement_timeout = 0`.execute(tx)
    }
    await sql`CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at bigint NOT NULL)`.execute(
      tx,
    )
    const pending = missing(await appliedNames(tx))
    for (const migration of pending) {
      await migration.up(tx, db.dialect)
      await record(tx, migration.name, await db.now(tx))
    }
    return { applied: pending.map(({ name }) => name) }
  })
}

/** Names of the migrations that {@link migrate} would apply. Throws {@link MigrationError} as it does. */
export async function pendingMigrations(db: Database): Promise<string[]> {
  const applied = (await hasMigrationsTable(db)) ? await appliedNames(db.reader) : []
  return missing(applied).map(({ name }) => name)
}

function missing(applied: readonly string[]) {
  const known = migrations.map(({ name }) => name)
  const foreign = applied.find((name) => !known.includes(name))
  if (foreign !== undefined) {
    throw new MigrationError(
      `The database holds migration ${foreign}, which this version of Moulin does not know: it was used by a newer one. Run that version, or restore a backup from before the upgrade.`,
    )
  }
  return migrations.filter(({ name }) => !applied.includes(name))
}

async function appliedNames(executor: Executor): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`SELECT name FROM migrations`.execute(executor)
  return rows.map(({ name }) => name)
}

async function record(tx: Transaction, name: string, now: number): Promise<void> {
  await sql`INSERT INTO migrations (name, applied_at) VALUES (${name}, ${now})`.execute(tx)
}

async function hasMigrationsTable(db: Database): Promise<boolean> {
  const query =
    db.dialect === 'sqlite'
      ? sql`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'`
      : sql`SELECT 1 WHERE to_regclass('migrations') IS NOT NULL`
  return (await query.execute(db.reader)).rows.length > 0
}
