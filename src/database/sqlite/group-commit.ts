import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { CommitUnknownError } from '../database.ts'
import { databaseUnavailable } from '../errors.ts'

/** Transactions that share one COMMIT, at most; bounds how long the first of them waits for the last. */
const maxGroupSize = 64

/**
 * The single writer of a SQLite file. Transactions take turns; those that queue while one runs join its group: each
 * runs inside a SAVEPOINT of its own, and all of them share one COMMIT, hence one fsync. One that fails rolls back to
 * its savepoint and leaves the others untouched. Nobody is told success before the COMMIT, nor a failure that another
 * member's uncommitted change may have caused.
 *
 * Other processes may write to the same file: BEGIN IMMEDIATE is retried, without blocking the thread, for
 * `busyTimeout` milliseconds.
 */
export class GroupCommit {
  readonly #db: DatabaseSync
  readonly #busyTimeout: number
  readonly #queue: (() => void)[] = []
  #taken = false
  #group: Group | undefined

  constructor(db: DatabaseSync, busyTimeout: number) {
    this.#db = db
    this.#busyTimeout = busyTimeout
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** Waits until nobody else uses the connection. Every turn ends with {@link endTurn}, in the end. */
  async takeTurn(): Promise<void> {
    if (!this.#taken) {
      this.#taken = true
      return
    }
    await new Promise<void>((resolve) => this.#queue.push(resolve))
  }

  /** Begins a member transaction. Throws ServiceUnavailableException when the file stays busy. */
  async begin(): Promise<void> {
    if (!this.#group) {
      await this.#beginImmediate()
      this.#group = new Group()
    }
    this.#group.size++
    this.#db.exec('SAVEPOINT member')
  }

  /**
   * Ends the member, with its effects or without, and the turn. Resolves when the group has committed; rejects when
   * it has not, or with CommitUnknownError when that cannot be known.
   */
  async end(keep: boolean): Promise<void> {
    const group = this.#group
    if (!group) throw new Error('No transaction is open.')
    if (this.#db.isTransaction) {
      if (!keep) this.#db.exec('ROLLBACK TO member')
      this.#db.exec('RELEASE member')
      const full = group.size >= maxGroupSize
      if (this.#queue.length === 0 || full) this.#commit(group)
    } else {
      // A full disk or an I/O error makes SQLite roll the whole transaction back by itself.
      this.#group = undefined
      group.reject(databaseUnavailable('The database rolled the transaction back: disk full or failing.'))
    }
    this.endTurn()
    return group.settled
  }

  endTurn(): void {
    const next = this.#queue.shift()
    if (!next) this.#taken = false
    else if (this.#group) next()
    // Between two groups other work of this process, and other processes' writers, get a chance.
    else setImmediate(next)
  }

  #commit(group: Group): void {
    this.#group = undefined
    try {
      this.#db.exec('COMMIT')
      group.resolve()
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      group.reject(new CommitUnknownError('The database failed while committing.', { cause: error }))
    }
  }

  async #beginImmediate(): Promise<void> {
    const deadline = performance.now() + this.#busyTimeout
    for (let delay = 1; ; delay = Math.min(delay * 2, 16)) {
      try {
        this.#db.exec('BEGIN IMMEDIATE')
        return
      } catch (error) {
        if (!isBusy(error)) throw error
        if (performance.now() > deadline) {
          throw databaseUnavailable('The database file is kept busy by another process.', error)
        }
      }
      await sleep(delay * (0.5 + Math.random()))
    }
  }
}

class Group {
  size = 0
  readonly settled: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.settled = promise
    this.resolve = resolve
    this.reject = reject
    // Every member awaits `settled`; this only keeps Node from reporting it in the meantime.
    promise.catch(() => undefined)
  }
}

/** SQLITE_BUSY in any of its extended forms. */
function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode
  return typeof code === 'number' && (code & 0xff) === 5
}
