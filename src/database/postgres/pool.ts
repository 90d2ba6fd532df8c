import type { PostgresPool, PostgresPoolClient } from 'kysely'
import type pg from 'pg'
import { databaseUnavailable } from '../errors.ts'
import { isConnectionFailure } from './errors.ts'

/**
 * The pool as Kysely takes it, with failures of the connection turned into ServiceUnavailableException (503, which a
 * committing client reads as "state unknown" and keeps its files). Errors of statements pass unchanged. Messages
 * name neither host nor user.
 */
export function translatingPool(pool: pg.Pool): PostgresPool {
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect(): Promise<PostgresPoolClient> {
      const client = await pool.connect().catch((error: unknown) => {
        throw translate(error, 'No connection to the database.')
      })
      const query = (text: string, parameters: unknown[]) =>
        client.query(text, parameters).catch((error: unknown) => {
          throw translate(error, 'The connection to the database broke.')
        })
      return {
        query,
        release: (destroy?: boolean) => client.release(destroy),
      } as unknown as PostgresPoolClient
    },
  }
}

function translate(error: unknown, message: string): unknown {
  return isConnectionFailure(error) ? databaseUnavailable(message, error) : error
}
