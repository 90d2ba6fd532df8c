import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Config, PurgeConfig, WarehouseConfig } from '../../src/config/config.ts'
import type { Dialect } from '../../src/database/database.ts'
import { type JsonObject, parseJson, printJson } from '../../src/iceberg/json/exact-json.ts'
import { startMoulin } from '../../src/server/moulin.ts'
import { createDatabase, type TestDatabase } from '../../src/testing/databases.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Exact numbers; an empty object for an empty body. */
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of every shape
  readonly json: any
}

export interface Served extends AsyncDisposable {
  readonly url: string
  readonly folder: string
  readonly database: TestDatabase
  /** A request below `/v1/main`, or to an absolute path. Bodies are printed with exact numbers. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

const synchronousPurge: PurgeConfig = {
  purger: 'synchronous',
  options: {},
  routes: [],
  views: false,
  deleteConcurrency: 8,
  leaseTimeout: 60_000,
  maxAttempts: 5,
  backoffBase: 10,
  backoffMax: 100,
  completedRetention: 604_800_000,
  retention: 0,
  sweep: 'owned',
  versions: 'current',
  priority: 0,
  workers: 4,
  pollInterval: 1_000,
  claimBatch: 16,
  filesPerSecond: undefined,
}

/** A server on a fresh database and an empty local warehouse called `main`, on a port of its own. */
export async function serve(
  options: {
    readonly dialect?: Dialect
    readonly warehouse?: Partial<Omit<WarehouseConfig, 'purge'>>
    /** What differs from a synchronous purger. Others have the workers that they need. */
    readonly purge?: Partial<PurgeConfig>
    readonly server?: Partial<Config['server']>
    readonly warehouses?: readonly string[]
    /** Milliseconds. @default 1000 */
    readonly pollInterval?: number
  } = {},
): Promise<Served> {
  const database = await createDatabase(options.dialect ?? 'sqlite')
  const folder = mkdtempSync(join(tmpdir(), 'moulin-server-'))
  const names = options.warehouses ?? ['main']
  const moulin = await startMoulin(
    {
      server: {
        host: '127.0.0.1',
        port: 0,
        allowInsecure: false,
        maxBodyBytes: 1024 * 1024,
        shutdownTimeout: 1_000,
        idempotencyKeyLifetime: 60_000,
        ...options.server,
      },
      database: { url: database.url, poolSize: 16 },
      warehouses: Object.fromEntries(
        names.map((name) => [
          name,
          {
            location: `file://${folder}/${name}`,
            storage: { type: 'local', allowedLocations: [] },
            catalog: { type: 'sql' },
            ...options.warehouse,
            purge: {
              ...synchronousPurge,
              pollInterval: options.pollInterval ?? 1_000,
              ...options.purge,
            },
          },
        ]),
      ),
      purge: {
        workers: 4,
        pollInterval: options.pollInterval ?? 1_000,
        claimBatch: 16,
        filesPerSecond: undefined,
      },
      events: { sinks: undefined },
      logging: { level: 'silent' },
    },
    {
      logger: pino({ level: 'silent' }),
      workers: (options.purge?.purger ?? 'synchronous') !== 'synchronous',
    },
  )
  return {
    url: moulin.url,
    folder,
    database,
    call: (method, path, body, headers = {}) => request(moulin.url, method, path, body, headers),
    [Symbol.asyncDispose]: async () => {
      await moulin.close()
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function request(
  url: string,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answer> {
  const target = path.startsWith('/v1') || path.startsWith('/!') ? path.replace('/!', '/') : `/v1/main${path}`
  const raw = typeof body === 'string' || body instanceof Uint8Array
  const answer = await fetch(url + target, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: raw ? (body as string) : printJson(body) }),
  })
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.startsWith('application/json') ?? false
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: isJson && text !== '' ? (parseJson(text) as JsonObject) : {},
  }
}

export const schema = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'city', required: false, type: 'string' },
  ],
}

export const viewVersion = {
  'version-id': 1,
  'schema-id': 0,
  'timestamp-ms': 1_700_000_000_000,
  summary: {},
  representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'spark' }],
  'default-namespace': ['ns'],
}

/** Makes the namespace `ns` with a table of that name; gives the answer of the creation. */
export async function createTable(served: Served, name = 'cities', more: object = {}): Promise<Answer> {
  await served.call('POST', '/namespaces', { namespace: ['ns'] })
  return await served.call('POST', '/namespaces/ns/tables', { name, schema, ...more })
}

/** Updates that append a snapshot to a branch, with the requirement that nobody else has. */
export function append(metadata: JsonObject, snapshotId: bigint, branch = 'main'): object {
  const refs = metadata.refs as Record<string, JsonObject>
  const parent = refs[branch]?.['snapshot-id']
  return {
    requirements: [{ type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': parent ?? null }],
    updates: [
      {
        action: 'add-snapshot',
        snapshot: {
          'snapshot-id': snapshotId,
          ...(parent !== undefined && { 'parent-snapshot-id': parent }),
          'sequence-number': Number(metadata['last-sequence-number']) + 1,
          'timestamp-ms': Date.now(),
          'manifest-list': `${String(metadata.location)}/metadata/snap-${snapshotId}.avro`,
          summary: { operation: 'append' },
          'schema-id': 0,
        },
      },
      { action: 'set-snapshot-ref', 'ref-name': branch, type: 'branch', 'snapshot-id': snapshotId },
    ],
  }
}

export const setProperties = (updates: Record<string, string>) => ({
  requirements: [],
  updates: [{ action: 'set-properties', updates }],
})
