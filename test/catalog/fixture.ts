import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { CreateTableRequest, CreateViewRequest } from '../../src/catalog/catalog.ts'
import { SqlCatalog, type SqlCatalogOptions } from '../../src/catalog/sql/sql-catalog.ts'
import type { Database, Dialect } from '../../src/database/database.ts'
import type { FileIO } from '../../src/storage/file-io.ts'
import { openFileIO } from '../../src/storage/open.ts'
import { createDatabase } from '../../src/testing/databases.ts'

export interface CatalogFixture extends AsyncDisposable {
  readonly catalog: SqlCatalog
  readonly database: Database
  readonly io: FileIO
  /** The warehouse's folder and, as a location, its `file:` form. */
  readonly folder: string
  readonly location: string
  /** Another catalog over the same database and files, as another replica has it. */
  replica(options?: Partial<SqlCatalogOptions>): Promise<SqlCatalog>
}

/** A catalog on a fresh database and an empty local warehouse. */
export async function openCatalog(dialect: Dialect): Promise<CatalogFixture> {
  const test = await createDatabase(dialect)
  const folder = mkdtempSync(join(tmpdir(), 'moulin-warehouse-'))
  const location = `file://${folder}`
  const io = openFileIO({ type: 'local', allowedLocations: [] }, location)
  const open = (database: Database, options: Partial<SqlCatalogOptions> = {}) =>
    new SqlCatalog({
      warehouse: 'main',
      location,
      database,
      io,
      logger: pino({ level: 'silent' }),
      ...options,
    })
  return {
    catalog: open(test.database),
    database: test.database,
    io,
    folder,
    location,
    replica: async (options) => open(await test.another(), options),
    [Symbol.asyncDispose]: async () => {
      await test.close()
      await io.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export const schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'id', required: true, type: 'long' }],
}

export function table(name: string, options: Partial<CreateTableRequest> = {}): CreateTableRequest {
  return {
    name,
    schema,
    partitionSpec: undefined,
    writeOrder: undefined,
    location: undefined,
    properties: {},
    ...options,
  }
}

export function view(name: string, options: Partial<CreateViewRequest> = {}): CreateViewRequest {
  return {
    name,
    location: undefined,
    schema,
    viewVersion: {
      'version-id': 1,
      'schema-id': 0,
      'timestamp-ms': 1_700_000_000_000,
      summary: {},
      representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'spark' }],
      'default-namespace': ['ns'],
    },
    properties: {},
    ...options,
  }
}

export const all = { token: undefined, size: undefined }
