import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { CommitUnknownError, type Database, type Executor, type Transaction } from '../database.ts'
import { DatabaseUrlError } from '../errors.ts'
import type { Schema } from '../schema/index.ts'
import { commitOutcome, isRepeatable } from './errors.ts'
import { Listener, purgeChannel } from './listener.ts'
import { translatingPool } from './pool.ts'

/** Repetitions of a transaction that lost a deadlock or a serialization conflict. */
const maxRepetitions = 10

/** A PostgreSQL database (12 or newer), READ COMMITTED, by a pool of connections. */
export class PostgresDatabase implements Database {
  readonly dialect = 'postgres'
  readonly reader: Executor
  readonly #kysely: Kysely<Schema>
  readonly #pool: pg.Pool
  #announcement: Promise<void> | undefined
  #announceAgain = false

  /** Throws {@link DatabaseUrlError}; the first query connects. */
  static open(url: string, options: { poolSize: number; busyTimeout: number }): PostgresDatabase {
    if (!URL.canParse(url)) {
      throw new DatabaseUrlError(
        'The PostgreSQL URL cannot be read. It is postgres://user:password@host:port/database; percent-encode special characters in the password.',
      )
    }
    const pool = new pg.Pool({
      connectionString: url,
      application_name: 'moulin',
      max: options.poolSize,
      connectionTimeoutMillis: options.busyTimeout,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      // The server gives a statement up first; the client does when the server is not heard of any more.
      statement_timeout: 30_000,
      idle_in_transaction_session_timeout: 60_000,
      query_timeout: 45_000,
      types: {
        getTypeParser: (oid, format) =>
          oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
      },
    })
    return new PostgresDatabase(pool)
  }

  private constructor(pool: pg.Pool) {
    // A connection that breaks fails the query that uses it and leaves the pool by itself. Without these listeners,
    // for idle connections and for lent ones, it would also end the process.
    pool.on('error', () => undefined)
    pool.on('connect', (client) => client.on('error', () => undefined))
    this.#pool = pool
    this.#kysely = new Kysely({ dialect: new PostgresDialect({ pool: translatingPool(pool) }) })
    this.reader = this.#kysely
  }

  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let repetition = 0; ; repetition++) {
      try {
        return await this.#attempt(work)
      } catch (error) {
        if (!isRepeatable(error) || repetition === maxRepetitions) throw error
      }
      await sleep(Math.random() * 5 * 2 ** repetition)
    }
  }

  async #attempt<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    let failure: { error: unknown } | undefined
    let committing = false
    try {
      return await this.#kysely.transaction().execute(async (tx) => {
        try {
          const result = await work(tx)
          committing = true
          return result
        } catch (error) {
          failure = { error }
          throw error
        }
      })
    } catch (error) {
      // The work's own error is the one to tell, even when ROLLBACK failed after it.
      if (failure) throw failure.error
      if (!committing || commitOutcome(error) === 'rolled back') throw error
      throw new CommitUnknownError('The connection to the database broke while committing.', { cause: error })
    }
  }

  async now(executor: Executor): Promise<number> {
    const { rows } = await sql<{ now: number }>`
      SELECT round(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now`.execute(executor)
    return rows[0]!.now
  }

  async announce(): Promise<void> {
    this.#announceAgain = true
    this.#announcement ??= this.#announceWhileAsked()
    await this.#announcement
  }

  async #announceWhileAsked(): Promise<void> {
    try {
      while (this.#announceAgain) {
        this.#announceAgain = false
        await sql`SELECT pg_notify(${sql.lit(purgeChannel)}, '')`.execute(this.reader)
      }
    } finally {
      this.#announcement = undefined
    }
  }

  async listen(heard: () => void): Promise<() => Promise<void>> {
    const listener = new Listener(this.#pool.options, heard)
    await listener.start()
    return () => listener.stop()
  }

  async ping(): Promise<void> {
    await sql`SELECT 1`.execute(this.reader)
  }

  poolStatistics(): { open: number; idle: number; waiting: number } {
    return { open: this.#pool.totalCount, idle: this.#pool.idleCount, waiting: this.#pool.waitingCount }
  }

  async close(): Promise<void> {
    await this.#kysely.destroy()
    if (!this.#pool.ended) await this.#pool.end()
  }
}
