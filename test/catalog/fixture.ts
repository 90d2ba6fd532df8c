import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type {
  CreateTableRequest,
  CreateViewRequest,
  TableChange,
  ViewChange,
} from '../../src/catalog/catalog.ts'
import { SqlCatalog, type SqlCatalogOptions } from '../../src/catalog/sql/sql-catalog.ts'
import type { Database, Dialect } from '../../src/database/database.ts'
import type { JsonValue } from '../../src/iceberg/json/exact-json.ts'
import type { TableMetadata } from '../../src/iceberg/metadata/model.ts'
import { parseTableRequirements } from '../../src/iceberg/metadata/requirements.ts'
import { parseTableUpdates } from '../../src/iceberg/metadata/updates.ts'
import { parseViewUpdates } from '../../src/iceberg/views/updates.ts'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { createDatabase } from '../../src/testing/databases.ts'

export interface CatalogFixture extends AsyncDisposable {
  readonly catalog: SqlCatalog
  readonly database: Database
  readonly url: string
  /** The warehouse's folder and, as a location, its `file:` form. */
  readonly folder: string
  readonly location: string
  /** Another catalog over the same database and files, as another replica has it. */
  replica(options?: Partial<SqlCatalogOptions>): Promise<SqlCatalog>
}

/** The catalog of the warehouse in this folder. */
export function catalogOn(
  database: Database,
  folder: string,
  options: Partial<SqlCatalogOptions> = {},
): SqlCatalog {
  const location = `file://${folder}`
  const io = new LocalFileIO([location])
  return new SqlCatalog({
    warehouse: 'main',
    location,
    database,
    io,
    logger: pino({ level: 'silent' }),
    ...options,
  })
}

/** A catalog on a fresh database and an empty local warehouse. */
export async function openCatalog(dialect: Dialect): Promise<CatalogFixture> {
  const test = await createDatabase(dialect)
  const folder = mkdtempSync(join(tmpdir(), 'moulin-warehouse-'))
  return {
    catalog: catalogOn(test.database, folder),
    database: test.database,
    url: test.url,
    folder,
    location: `file://${folder}`,
    replica: async (options) => catalogOn(await test.another(), folder, options),
    [Symbol.asyncDispose]: async () => {
      await test.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export const schema: JsonValue = {
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

/** Path of a local location. */
export function path(location: string): string {
  return location.replace(/^file:\/\//, '')
}

/** A request's change, from JSON. */
export function change(requirements: JsonValue[], updates: JsonValue[]): TableChange {
  return { requirements: parseTableRequirements(requirements), updates: parseTableUpdates(updates) }
}

export function setProperties(updates: Record<string, string>): TableChange {
  return change([], [{ action: 'set-properties', updates }])
}

export function setLocation(location: string): TableChange {
  return change([], [{ action: 'set-location', location }])
}

/** A snapshot on top of the current one, as an engine commits it. */
export function appendSnapshot(base: TableMetadata, id: bigint, ref: string): TableChange {
  const parent = base.refs[ref]?.snapshotId
  const snapshot = {
    'snapshot-id': id,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': base.lastSequenceNumber + 1n,
    'timestamp-ms': BigInt(Date.now()),
    'manifest-list': `${base.location}/metadata/snap-${id}.avro`,
    summary: { operation: 'append' },
    'schema-id': base.currentSchemaId,
  }
  return change(
    [{ type: 'assert-ref-snapshot-id', ref, 'snapshot-id': parent ?? null }],
    [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': ref, type: 'branch', 'snapshot-id': id },
    ],
  )
}

export function viewChange(updates: JsonValue[]): ViewChange {
  return { requirements: [], updates: parseViewUpdates(updates) }
}
