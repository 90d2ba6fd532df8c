import type { Config } from '../config/config.ts'
import { describeDatabase } from '../database/open.ts'
import { checkDatabase } from './doctor/database.ts'
import { CommandError, isExplained } from './failure.ts'

/**
 * Does something that begins with the database. When it fails, and the doctor finds that the database is the reason, throws what
 * the doctor says, with the key; else what was thrown.
 */
export async function explainingDatabase<T>(config: Config, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const trouble = isExplained(error) ? undefined : await troubleOf(config.database)
    throw trouble === undefined ? error : new CommandError(trouble, { cause: error })
  }
}

async function troubleOf(database: Config['database']): Promise<string | undefined> {
  for await (const { level, message, advice } of checkDatabase(database)) {
    if (level === 'error') return `database.url: ${describeDatabase(database.url)} ${message}\n  → ${advice}`
  }
  return undefined
}
