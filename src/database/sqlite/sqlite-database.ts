import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely, sql } from 'kysely'
import type { Database, Executor, Transaction } from '../database.ts'
import type { Schema } from '../schema/index.ts'
import { ReadingDriver, sqliteDialect, WritingDriver } from './dialect.ts'
import { GroupCommit } from './group-commit.ts'

/** Milliseconds for which opening waits for another process; the thread is blocked meanwhile. */
const openTimeout = 10_000

/**
 * A SQLite file in WAL mode with `synchronous=FULL`: what is committed survives a power cut. One connection writes,
 * one reads; statements run on the calling thread, so they are kept short. Several processes may share the file.
 */
export class SqliteDatabase implements Database {
  readonly dialect = 'sqlite'
  readonly reader: Executor
  readonly #writer: Kysely<Schema>
  readonly #commits: GroupCommit
  readonly #connections: readonly DatabaseSync[]

  static open(path: string, busyTimeout: number): SqliteDatabase {
    mkdirSync(dirname(path), { recursive: true })
    const writing = new DatabaseSync(path, { timeout: openTimeout })
    try {
      writing.exec(
        'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=0',
      )
      const reading = new DatabaseSync(path, { timeout: openTimeout })
      reading.exec('PRAGMA query_only=ON')
      return new SqliteDatabase(writing, reading, busyTimeout)
    } catch (error) {
      writing.close()
      throw error
    }
  }

  private constructor(writing: DatabaseSync, reading: DatabaseSync, busyTimeout: number) {
    this.#commits = new GroupCommit(writing, busyTimeout)
    this.#connections = [reading, writing]
    this.#writer = new Kysely({ dialect: sqliteDialect(new WritingDriver(writing, this.#commits)) })
    this.reader = new Kysely({ dialect: sqliteDialect(new ReadingDriver(reading)) })
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#writer.transaction().execute(work)
  }

  async now(executor: Executor): Promise<number> {
    const { rows } = await sql<{ now: number }>`
      SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now`.execute(executor)
    return rows[0]!.now
  }

  async announce(): Promise<void> {}

  async listen(): Promise<() => Promise<void>> {
    return async () => undefined
  }

  async ping(): Promise<void> {
    await sql`SELECT 1`.execute(this.reader)
  }

  poolStatistics(): { open: number; idle: number; waiting: number } {
    const waiting = this.#commits.waiting
    return { open: 2, idle: waiting > 0 ? 1 : 2, waiting }
  }

  async close(): Promise<void> {
    await this.#writer.destroy()
    await this.reader.destroy()
    for (const connection of this.#connections) if (connection.isOpen) connection.close()
  }
}
