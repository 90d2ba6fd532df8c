import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { sql } from 'kysely'
import type { DatabaseConfig } from '../../config/config.ts'
import type { Database } from '../../database/database.ts'
import { pendingMigrations } from '../../database/migrate.ts'
import { openDatabase } from '../../database/open.ts'
import { existingFolder, isWritable, sqliteFile } from '../database-file.ts'
import { error, type Finding, ok, reasonOf, warning } from './finding.ts'

/** Difference of the clocks, in milliseconds, from which on it is mentioned. */
const tolerableClockDifference = 2000

/** Checks that the database answers, is migrated, lets us write, and has about our time. Changes nothing. */
export async function* checkDatabase({ url }: DatabaseConfig): AsyncGenerator<Finding> {
  const file = sqliteFile(url)
  if (file !== undefined && !existsSync(file)) {
    yield newFile(file)
    return
  }
  let database: Database
  let version: string
  try {
    database = await openDatabase(url, { poolSize: 1, busyTimeout: 5000 })
    version = await versionOf(database)
  } catch (thrown) {
    yield error(`does not answer: ${reasonOf(thrown)}`, connectionAdvice(file))
    return
  }
  try {
    yield ok(`answers: ${version}`)
    yield* checkMigrations(database)
    yield await checkWriting(database)
    yield await checkClock(database)
  } finally {
    await database.close()
  }
}

function newFile(file: string): Finding {
  const folder = existingFolder(dirname(file))
  return isWritable(folder)
    ? ok('does not exist yet; the first start creates it')
    : error(
        `does not exist yet, and ${folder} is not writable`,
        'Let this user write there, or set database.url to another place.',
      )
}

function connectionAdvice(file: string | undefined): string {
  return file === undefined
    ? 'Check host, port, user, password, database name and sslmode in database.url, and that the server runs.'
    : 'Check that the file is a SQLite database, that this user may read and write it, and that its folder is on a local disk.'
}

async function versionOf(database: Database): Promise<string> {
  const query =
    database.dialect === 'sqlite'
      ? sql<{ version: string }>`SELECT 'SQLite ' || sqlite_version() AS version`
      : sql<{ version: string }>`SELECT 'PostgreSQL ' || current_setting('server_version') AS version`
  return (await query.execute(database.reader)).rows[0]!.version
}

async function* checkMigrations(database: Database): AsyncGenerator<Finding> {
  try {
    const pending = await pendingMigrations(database)
    yield pending.length === 0
      ? ok('is migrated to what this version needs')
      : warning(
          `lacks ${pending.join(', ')}`,
          'The next start of `moulin serve` applies what is missing, or do it now: moulin migrate.',
        )
  } catch (thrown) {
    yield error(reasonOf(thrown), 'Run the version of Moulin that has used this database last.')
  }
}

/** Creates a table in a transaction that is rolled back. */
async function checkWriting(database: Database): Promise<Finding> {
  const rollback = new Error('rolled back on purpose')
  try {
    await database.transaction(async (tx) => {
      await sql`CREATE TABLE moulin_doctor (id integer)`.execute(tx)
      throw rollback
    })
  } catch (thrown) {
    if (thrown !== rollback) {
      return error(
        `refuses to be written: ${reasonOf(thrown)}`,
        database.dialect === 'sqlite'
          ? 'Let this user write the file and its folder (SQLite keeps its write-ahead log beside it).'
          : "Grant the role what it needs: GRANT CREATE, USAGE ON SCHEMA public TO …, or make it the database's owner.",
      )
    }
  }
  return ok('can be written')
}

async function checkClock(database: Database): Promise<Finding> {
  const before = Date.now()
  const theirs = await database.now(database.reader)
  const after = Date.now()
  // The answer was made somewhere between: only what lies outside is a difference.
  const difference = theirs < before ? theirs - before : Math.max(0, theirs - after)
  return Math.abs(difference) <= tolerableClockDifference
    ? ok("has this machine's time")
    : warning(
        `has a clock ${Math.abs(Math.round(difference / 1000))} s ${difference < 0 ? 'behind' : 'ahead of'} this machine's`,
        "Leases go by the database's clock, so purges are safe; but times in logs and metadata will disagree. Let both follow the same NTP server.",
      )
}
