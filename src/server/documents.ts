/** Answers that carry metadata: built around the stored text, which is neither parsed nor printed again. */
import { createHash } from 'node:crypto'
import type { LoadedTable, LoadedView } from '../catalog/catalog.ts'
import type { MetadataDocument } from '../catalog/metadata-document.ts'
import { badRequest } from '../iceberg/errors.ts'
import type { TableMetadata } from '../iceberg/metadata/model.ts'
import { decodeMetadataFile } from '../iceberg/metadata/parse.ts'
import { printReferencedSnapshots } from '../iceberg/metadata/print.ts'
import type { Answer, Call } from './call.ts'
import type { Warehouse } from './deps.ts'
import type { Replayable, StoredBody } from './idempotency.ts'

export type SnapshotMode = 'all' | 'refs'

export function parseSnapshotMode(value: string | undefined): SnapshotMode {
  if (value === undefined || value.toLowerCase() === 'all') return 'all'
  if (value.toLowerCase() === 'refs') return 'refs'
  throw badRequest(`Query parameter snapshots must be "all" or "refs", but is ${JSON.stringify(value)}`)
}

/** `{"metadata-location":…,"metadata":…,"config":…}`; the location is null for a staged table. */
export function tableAnswer(warehouse: Warehouse, table: LoadedTable, mode: SnapshotMode = 'all'): Answer {
  const json = mode === 'refs' ? referencedOnly(table.document) : table.document.json
  const body = withMetadata(table.metadataLocation, json, tableConfig(warehouse))
  if (table.metadataLocation === null) return { status: 200, body }
  return { status: 200, body, headers: { etag: etag(table.metadataLocation, mode) } }
}

export function viewAnswer(view: LoadedView): Answer {
  return { status: 200, body: withMetadata(view.metadataLocation, view.document.json, {}) }
}

/** Strong, and different for each form of the same metadata. */
export function etag(metadataLocation: string, mode: SnapshotMode): string {
  return `"${createHash('sha256').update(`${mode} ${metadataLocation}`).digest('base64url').slice(0, 32)}"`
}

/** Whether a client that sent this If-None-Match has that form already. Iceberg Java sends tags without quotes. */
export function matches(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const bare = (text: string) => text.trim().replace(/^W\//, '').replaceAll('"', '')
  return ifNoneMatch.split(',').some((candidate) => candidate.trim() === '*' || bare(candidate) === bare(tag))
}

/** How the answers of creating, registering and committing are kept and given again. */
export function replayableTable(call: Call): Replayable<LoadedTable> {
  return {
    status: 200,
    store: (table) => metadataBody(table.metadataLocation),
    answer: (table) => {
      for (const warning of table.warnings) call.request.log.warn({ table: table.identifier }, warning)
      return tableAnswer(call.warehouse, table)
    },
    replay: (_status, body) => storedTableAnswer(call, metadataLocationOf(body)),
  }
}

export function replayableView(call: Call): Replayable<LoadedView> {
  return {
    status: 200,
    store: (view) => metadataBody(view.metadataLocation),
    answer: viewAnswer,
    replay: async (status, body) => {
      const location = metadataLocationOf(body)
      return { status, body: withMetadata(location, await readMetadata(call, location), {}) }
    },
  }
}

/** The answer for a table whose metadata file is known, whatever the catalog says of it by now. */
export async function storedTableAnswer(call: Call, location: string): Promise<Answer> {
  const json = await readMetadata(call, location)
  const headers = { etag: etag(location, 'all') }
  return { status: 200, body: withMetadata(location, json, tableConfig(call.warehouse)), headers }
}

export function metadataLocationOf(body: StoredBody): string {
  if (body.kind === 'metadata') return body.location
  throw new Error(`An answer of kind ${body.kind} is stored where metadata belongs.`)
}

async function readMetadata(call: Call, location: string): Promise<Buffer> {
  return decodeMetadataFile(await call.warehouse.io.read(location), location)
}

function metadataBody(location: string | null): StoredBody {
  return location === null ? { kind: 'empty' } : { kind: 'metadata', location }
}

function withMetadata(location: string | null, json: Buffer, config: object): Buffer {
  return Buffer.concat([
    Buffer.from(`{"metadata-location":${JSON.stringify(location)},"metadata":`),
    json,
    Buffer.from(`,"config":${JSON.stringify(config)}}`),
  ])
}

const referenced = new WeakMap<MetadataDocument<TableMetadata>, Buffer>()

function referencedOnly(document: MetadataDocument<TableMetadata>): Buffer {
  let json = referenced.get(document)
  if (!json) {
    json = Buffer.from(printReferencedSnapshots(document.model))
    referenced.set(document, json)
  }
  return json
}

/** How clients reach the storage, as far as it is no secret. */
export function tableConfig({ config: { storage } }: Warehouse): Readonly<Record<string, string>> {
  if (storage.type !== 's3') return {}
  return {
    's3.region': storage.region,
    'client.region': storage.region,
    's3.path-style-access': String(storage.pathStyleAccess),
    ...(storage.endpoint !== undefined && { 's3.endpoint': storage.endpoint }),
  }
}
