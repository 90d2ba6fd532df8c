import { type RawBuilder, sql } from 'kysely'
import type { Dialect, Transaction } from '../database.ts'

/**
 * One numbered step of the schema. Once released it never changes: a correction is another migration. Runs in the
 * transaction that also records its name, so it happens once and whole.
 */
export interface Migration {
  /** File name without its ending, `0001-catalog`: the order in which migrations run. */
  readonly name: string
  up(tx: Transaction, dialect: Dialect): Promise<void>
}

/** Runs data definition statements one after another. */
export async function run(tx: Transaction, statements: readonly RawBuilder<unknown>[]): Promise<void> {
  for (const statement of statements) await statement.execute(tx)
}

/**
 * Column type of names, keys and locations: compared and ordered by their UTF-8 bytes on every database, so that
 * ranges by prefix and listings mean the same everywhere. SQLite does so by itself.
 */
export function bytewiseText(dialect: Dialect): RawBuilder<unknown> {
  return dialect === 'postgres' ? sql.raw('text COLLATE "C"') : sql.raw('text')
}
