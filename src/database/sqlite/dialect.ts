import type { DatabaseSync } from 'node:sqlite'
import {
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { GroupCommit } from './group-commit.ts'
import { SqliteConnection } from './statements.ts'

/** Kysely's parts for SQLite around one of the drivers below. */
export function sqliteDialect(driver: Driver): Dialect {
  return {
    createDriver: () => driver,
    createAdapter: () => new QueueingAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
  }
}

/** Our drivers queue by themselves; Kysely's mutex would hold the next transaction back until the shared COMMIT. */
class QueueingAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

/** Statements outside of transactions, on a connection that only reads. */
export class ReadingDriver implements Driver {
  readonly #connection: SqliteConnection
  constructor(db: DatabaseSync) {
    this.#connection = new SqliteConnection(db)
  }
  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }
  async releaseConnection(): Promise<void> {}
  async beginTransaction(): Promise<void> {
    throw new Error('Transactions begin with Database.transaction().')
  }
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async destroy(): Promise<void> {}
}

/** A transaction's hold on the writing connection. */
interface Turn extends DatabaseConnection {
  held: boolean
}

/** Transactions, one at a time, in groups that share a COMMIT. */
export class WritingDriver implements Driver {
  readonly #connection: SqliteConnection
  readonly #commits: GroupCommit

  constructor(db: DatabaseSync, commits: GroupCommit) {
    this.#connection = new SqliteConnection(db)
    this.#commits = commits
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    await this.#commits.takeTurn()
    const connection = this.#connection
    const turn: Turn = {
      held: true,
      executeQuery: (query) => connection.executeQuery(query),
      streamQuery: () => connection.streamQuery(),
    }
    return turn
  }

  async beginTransaction(): Promise<void> {
    await this.#commits.begin()
  }

  async commitTransaction(turn: DatabaseConnection): Promise<void> {
    await this.#end(turn as Turn, true)
  }

  /** Kysely calls this after a failed commit, too: then the turn is over. */
  async rollbackTransaction(turn: DatabaseConnection): Promise<void> {
    if ((turn as Turn).held) await this.#end(turn as Turn, false)
  }

  async releaseConnection(turn: DatabaseConnection): Promise<void> {
    if (!(turn as Turn).held) return
    ;(turn as Turn).held = false
    this.#commits.endTurn()
  }

  async destroy(): Promise<void> {}

  async #end(turn: Turn, keep: boolean): Promise<void> {
    turn.held = false
    await this.#commits.end(keep)
  }
}
