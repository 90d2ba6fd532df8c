import type { Logger } from 'pino'
import { CommitUnknownError, type Database, type Transaction } from '../../database/database.ts'
import { IcebergError } from '../../iceberg/errors.ts'
import type { FileIO } from '../../storage/file-io.ts'
import type { DocumentCache } from './documents.ts'
import type { KeyedQueue } from './keyed-queue.ts'

/** Told of what commits do; for metrics. */
export interface CatalogObserver {
  /** An entry's pointer has moved, or an entry was made. */
  committed(kind: 'table' | 'view'): void
  /** A commit lost the compare-and-swap and begins again. */
  conflict(): void
}

/** What the parts of the SQL catalog share. */
export interface CatalogContext {
  readonly warehouse: string
  /** Directory-like URI under which locations are assigned, without a trailing slash. */
  readonly location: string
  readonly database: Database
  readonly io: FileIO
  readonly documents: DocumentCache
  /** Lets the committers of one entry in this process wait for each other instead of colliding. */
  readonly commits: KeyedQueue
  readonly observer: CatalogObserver
  readonly logger: Logger
  /** Milliseconds since the epoch. */
  now(): number
  uuid(): string
}

/**
 * A write transaction of a catalog mutation. When it may have committed although no answer came, throws
 * CommitStateUnknownException (500), after which a client keeps its files.
 */
export async function mutate<T>(context: CatalogContext, work: (tx: Transaction) => Promise<T>): Promise<T> {
  try {
    return await context.database.transaction(work)
  } catch (error) {
    if (!(error instanceof CommitUnknownError)) throw error
    throw new IcebergError(
      'CommitStateUnknownException',
      'The database did not confirm the commit; it may have happened. Load again before repeating.',
      { cause: error },
    )
  }
}
