import type { Kysely, Transaction as KyselyTransaction } from 'kysely'
import type { Schema } from './schema/index.ts'

export type Dialect = 'sqlite' | 'postgres'
export type Transaction = KyselyTransaction<Schema>
/** Either an open transaction or the reading side of the database. */
export type Executor = Kysely<Schema>

/** One database, shared by all replicas of a server. `openDatabase` in `open.ts` makes it from a URL. */
export interface Database {
  readonly dialect: Dialect
  /** For reads outside of a transaction; sees what is committed. */
  readonly reader: Executor
  /**
   * Runs `work` in a write transaction: committed and durable when the promise resolves, rolled back when `work`
   * throws (the error is passed on unchanged). SQLite: BEGIN IMMEDIATE, one at a time. PostgreSQL: READ COMMITTED;
   * repeated by itself on a serialization failure or deadlock (so `work` has no effect but through `tx`).
   * Throws {@link CommitUnknownError} when the connection broke while COMMIT was under way.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Now by the database's clock, milliseconds since the epoch. */
  now(executor: Executor): Promise<number>
  /**
   * Tells every server that listens that a purge may be due; calls while one is under way are told together. After the
   * commit, not in the transaction: PostgreSQL lets transactions that notify commit only one after the other. Whoever
   * dies in between leaves it to the poll. SQLite does nothing.
   */
  announce(): Promise<void>
  /**
   * Calls `heard` whenever another server announces that a purge may be due, and after a connection was lost. Gives what ends it. SQLite has no announcements: there the poll finds it.
   */
  listen(heard: () => void): Promise<() => Promise<void>>
  /** Throws when the database does not answer. */
  ping(): Promise<void>
  /** Open, idle and waiting connections. */
  poolStatistics(): { open: number; idle: number; waiting: number }
  close(): Promise<void>
}

/** Whether the transaction committed is not known. Never to be turned into a 4xx. */
export class CommitUnknownError extends Error {
  override readonly name = 'CommitUnknownError'
}
