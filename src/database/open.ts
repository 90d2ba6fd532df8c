import type { Database } from './database.ts'
import { DatabaseUrlError } from './errors.ts'

export interface OpenOptions {
  /** Connections to PostgreSQL. SQLite has one that writes and one that reads. @default 16 */
  readonly poolSize?: number
  /** Milliseconds to wait for a busy SQLite file, or for a free PostgreSQL connection. @default 30000 */
  readonly busyTimeout?: number
}

/**
 * Opens `sqlite:FILE` (`sqlite:data/catalog.db` relative to the working directory, `sqlite:/var/lib/catalog.db`;
 * the folder is made) or `postgres://user:password@host:5432/name?sslmode=require`. Does not migrate: see
 * `migrate.ts`. The drivers are loaded only when needed.
 *
 * Throws {@link DatabaseUrlError} for anything else, `sqlite::memory:` included: what it holds would be gone with
 * the process, and with it the promise that an accepted purge finishes. PostgreSQL is first contacted by a query.
 *
 * @example
 * const database = await openDatabase('sqlite:moulin-data/catalog.db')
 * await migrate(database)
 */
export async function openDatabase(url: string, options: OpenOptions = {}): Promise<Database> {
  const busyTimeout = options.busyTimeout ?? 30_000
  if (url.startsWith('sqlite:')) {
    const { SqliteDatabase } = await import('./sqlite/sqlite-database.ts')
    return SqliteDatabase.open(sqlitePath(url), busyTimeout)
  }
  if (/^postgres(ql)?:\/\//.test(url)) {
    const { PostgresDatabase } = await import('./postgres/postgres-database.ts')
    return PostgresDatabase.open(url, { poolSize: options.poolSize ?? 16, busyTimeout })
  }
  throw new DatabaseUrlError(
    'database.url must be sqlite:FILE or postgres://user:password@host:port/database; it begins with neither.',
  )
}

/** What may be shown of a database URL: the file, or host and name without user, password and parameters. */
export function describeDatabase(url: string): string {
  if (url.startsWith('sqlite:')) return url
  try {
    const { hostname, port, pathname } = new URL(url)
    return `postgres://${hostname}${port && `:${port}`}${pathname}`
  } catch {
    return 'postgres://…'
  }
}

function sqlitePath(url: string): string {
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '')
  if (path === '' || path.startsWith('//') || path.includes('\0')) {
    throw new DatabaseUrlError(
      'A SQLite database is named sqlite:FILE, for example sqlite:moulin-data/catalog.db.',
    )
  }
  if (path.startsWith(':memory:')) {
    throw new DatabaseUrlError(
      'sqlite::memory: is not supported: the catalog would be lost at exit. Name a file, for example sqlite:moulin-data/catalog.db.',
    )
  }
  return path
}
