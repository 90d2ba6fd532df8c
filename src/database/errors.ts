import { IcebergError } from '../iceberg/errors.ts'

/** A database URL that cannot be used. The message never repeats the URL: it may hold a password. */
export class DatabaseUrlError extends Error {
  override readonly name = 'DatabaseUrlError'
}

/** The database does not answer; the request may be repeated. Not for a COMMIT under way: see CommitUnknownError. */
export function databaseUnavailable(message: string, cause?: unknown): IcebergError {
  return new IcebergError('ServiceUnavailableException', message, { cause, retryAfterSeconds: 1 })
}
