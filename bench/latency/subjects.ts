import { rmSync } from 'node:fs'
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
  /** With the warehouse `{folder}/warehouse`, which is deleted at the end. */
  start(folder: string): Promise<Subject>
}

export const kinds: readonly SubjectKind[] = [
  ...(['sql-async', 'synchronous'] as const).flatMap((option) =>
    (['sqlite', 'postgres'] as const).map((database) => ({
      name: `Moulin, ${option}, ${database === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`,
      option,
      database,
      waits: option === 'synchronous',
      start: (folder: string) => moulin(folder, option, database),
    })),
  ),
  {
    name: 'reference server, SQLite',
    option: 'reference',
    database: 'sqlite',
    waits: true,
    start: async (folder) => {
      const server = await referenceServer(folder)
      return { api: server.api, [Symbol.asyncDispose]: () => disposeAll([server, removal(folder)]) }
    },
  },
]

async function moulin(folder: string, purger: string, database: SubjectKind['database']): Promise<Subject> {
  const postgres = database === 'postgres' ? await durablePostgres() : undefined
  const served = await serveMoulin(() => ({
    ...(postgres && { database: { url: postgres.url } }),
    warehouses: { main: { location: join(folder, 'warehouse') } },
    purge: { purger },
    logging: { level: 'warn' },
  }))
  return {
    api: `${served.url}/v1/main`,
    [Symbol.asyncDispose]: () => disposeAll([served, ...(postgres ? [postgres] : []), removal(folder)]),
  }
}

function removal(folder: string): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => rmSync(join(folder, 'warehouse'), { recursive: true, force: true }),
  }
}

async function disposeAll(parts: readonly AsyncDisposable[]): Promise<void> {
  for (const part of parts) await part[Symbol.asyncDispose]()
}
