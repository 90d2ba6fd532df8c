import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveMoulin } from '../../test/interop/serve.ts'
import { referenceServer } from '../catalog/subjects.ts'
import { durablePostgres } from '../parts/postgres.ts'

/** A running server. */
export interface Subject extends AsyncDisposable {
  /** URL before `/namespaces`. */
  readonly api: string
}

export interface SubjectKind {
  readonly name: string
  /** How the command line calls it. */
  readonly option: 'sql-async' | 'synchronous' | 'reference'
  readonly database: 'sqlite' | 'postgres'
  /** `DELETE` is answered when the files are gone. */
  readonly waits: boolean
  /** @param warehouse folder, deleted at the end. The database is in the folder for temporary files, a disk. */
  start(warehouse: string): Promise<Subject>
}

export const kinds: readonly SubjectKind[] = [
  ...(['sql-async', 'synchronous'] as const).flatMap((option) =>
    (['sqlite', 'postgres'] as const).map((database) => ({
      name: `Moulin, ${option}, ${database === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`,
      option,
      database,
      waits: option === 'synchronous',
      start: (warehouse: string) => moulin(warehouse, option, database),
    })),
  ),
  {
    name: 'reference server, SQLite',
    option: 'reference',
    database: 'sqlite',
    waits: true,
    start: async (warehouse) => {
      const folder = mkdtempSync(join(tmpdir(), 'moulin-bench-'))
      const server = await referenceServer(folder, warehouse)
      return {
        api: server.api,
        [Symbol.asyncDispose]: () => disposeAll([server, removal(warehouse), removal(folder)]),
      }
    },
  },
]

async function moulin(
  warehouse: string,
  purger: string,
  database: SubjectKind['database'],
): Promise<Subject> {
  const postgres = database === 'postgres' ? await durablePostgres() : undefined
  const served = await serveMoulin(() => ({
    ...(postgres && { database: { url: postgres.url } }),
    warehouses: { main: { location: warehouse } },
    purge: { purger },
    logging: { level: 'warn' },
  }))
  return {
    api: `${served.url}/v1/main`,
    [Symbol.asyncDispose]: () => disposeAll([served, ...(postgres ? [postgres] : []), removal(warehouse)]),
  }
}

function removal(folder: string): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }) }
}

async function disposeAll(parts: readonly AsyncDisposable[]): Promise<void> {
  for (const part of parts) await part[Symbol.asyncDispose]()
}
