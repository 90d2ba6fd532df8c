import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Database } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/open.ts'

/** A SQLite file in memory, and a look at its purges that takes no time. */
export interface SimulationDatabase extends AsyncDisposable {
  readonly database: Database
  /** State of a purge, by its id. */
  stateOf(purge: string): string | undefined
}

export async function openSimulationDatabase(): Promise<SimulationDatabase> {
  const memory = '/dev/shm'
  const folder = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'moulin-simulation-'))
  const file = join(folder, 'catalog.db')
  const database = await openDatabase(`sqlite:${file}`)
  await migrate(database)
  const look = new DatabaseSync(file, { readOnly: true })
  const statement = look.prepare('SELECT state FROM purges WHERE id = ?')
  return {
    database,
    stateOf: (purge) => statement.get(purge)?.state as string | undefined,
    [Symbol.asyncDispose]: async () => {
      look.close()
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The same database with another clock. */
export function withTime(database: Database, now: () => number): Database {
  const timed = Object.create(database) as Database
  timed.now = async () => now()
  timed.transaction = (work) => database.transaction(work)
  timed.listen = async () => async () => undefined
  return timed
}
