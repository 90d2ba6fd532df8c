import { SqliteAdapter } from 'kysely'
import type { Dialect, Executor } from './database.ts'

/** The dialect that an executor speaks, for the few statements that differ. */
export function dialectOf(executor: Executor): Dialect {
  return executor.getExecutor().adapter instanceof SqliteAdapter ? 'sqlite' : 'postgres'
}
