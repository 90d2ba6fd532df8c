import { gunzipSync } from 'node:zlib'
import { badRequest } from '../errors.ts'
import { JsonError, type JsonValue, parseJson } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import { parseEncryptedKey, parsePartitionStatisticsFile, parseStatisticsFile } from './files.ts'
import { type FormatVersion, mainBranch, type SnapshotRef, type TableMetadata } from './model.ts'
import {
  lastPartitionFieldId,
  type PartitionSpec,
  parsePartitionField,
  parsePartitionFields,
  parsePartitionSpec,
  partitionIdStart,
} from './partition-spec.ts'
import { parseSchema, type Schema } from './schema.ts'
import { parseSnapshot, parseSnapshotRef } from './snapshot.ts'
import { parseSortOrder, type SortOrder, unsorted } from './sort-order.ts'

/** Bytes of one metadata file after decompression. */
const maxMetadataBytes = 500 * 1024 * 1024

/**
 * The JSON text of a metadata file: decompressed when it is gzip, whatever its name says (`.gz.metadata.json`, and
 * `.metadata.json.gz` of old writers). Throws BadRequestException for broken gzip and for more than 500 MiB.
 */
export function decodeMetadataFile(bytes: Buffer, location: string): Buffer {
  if (!(bytes[0] === 0x1f && bytes[1] === 0x8b)) return bytes
  try {
    return gunzipSync(bytes, { maxOutputLength: maxMetadataBytes })
  } catch (error) {
    throw badRequest(`Cannot decompress metadata file ${location}: ${(error as Error).message}`, error)
  }
}

/**
 * Parses table metadata of format version 1 to 3, filling in what old v1 writers left out (`schemas`,
 * `partition-specs`, `sort-orders`, `refs`). Members that the specification does not name are dropped, as Iceberg Java
 * does. Throws BadRequestException naming what is wrong; version 4 and above is refused, not guessed.
 */
export function parseTableMetadata(json: JsonValue | Buffer): TableMetadata {
  const fields = new Fields(Buffer.isBuffer(json) ? parseText(json) : json, 'table metadata')
  const formatVersion = parseFormatVersion(fields)
  const schemas = parseSchemas(fields, formatVersion)
  const partitionSpecs = parsePartitionSpecs(fields, formatVersion)
  const sortOrders = parseSortOrders(fields, formatVersion)
  const snapshots = fields.optionalList('snapshots', parseSnapshot) ?? []
  const currentSnapshotId = parseCurrentSnapshotId(fields)
  const metadata: TableMetadata = {
    formatVersion,
    tableUuid: formatVersion === 1 ? fields.optionalString('table-uuid') : fields.string('table-uuid'),
    location: fields.string('location'),
    lastSequenceNumber: formatVersion === 1 ? 0n : fields.long('last-sequence-number'),
    lastUpdatedMs: fields.long('last-updated-ms'),
    lastColumnId: fields.int('last-column-id'),
    schemas: schemas.all,
    currentSchemaId: schemas.currentId,
    partitionSpecs: partitionSpecs.all,
    defaultSpecId: partitionSpecs.defaultId,
    lastPartitionId: parseLastPartitionId(fields, formatVersion, partitionSpecs.all),
    sortOrders: sortOrders.all,
    defaultSortOrderId: sortOrders.defaultId,
    properties: fields.optionalStringMap('properties') ?? {},
    currentSnapshotId,
    snapshots,
    snapshotLog:
      fields.optionalList('snapshot-log', (value, what) => {
        const entry = new Fields(value, what)
        return { timestampMs: entry.long('timestamp-ms'), snapshotId: entry.long('snapshot-id') }
      }) ?? [],
    metadataLog:
      fields.optionalList('metadata-log', (value, what) => {
        const entry = new Fields(value, what)
        return { timestampMs: entry.long('timestamp-ms'), metadataFile: entry.string('metadata-file') }
      }) ?? [],
    refs: parseRefs(fields, currentSnapshotId),
    statistics: fields.optionalList('statistics', parseStatisticsFile) ?? [],
    partitionStatistics: fields.optionalList('partition-statistics', parsePartitionStatisticsFile) ?? [],
    nextRowId: formatVersion >= 3 ? fields.long('next-row-id') : 0n,
    encryptionKeys: fields.optionalList('encryption-keys', parseEncryptedKey) ?? [],
  }
  checkIntegrity(metadata)
  return metadata
}

function parseText(json: Buffer): JsonValue {
  try {
    return parseJson(json)
  } catch (error) {
    if (error instanceof JsonError) throw badRequest(`Invalid table metadata: ${error.message}`, error)
    throw error
  }
}

function parseFormatVersion(fields: Fields): FormatVersion {
  const version = fields.int('format-version')
  if (version !== 1 && version !== 2 && version !== 3) {
    throw badRequest(`Cannot read unsupported table format version ${version}: supported are 1, 2 and 3`)
  }
  return version
}

function parseSchemas(fields: Fields, version: FormatVersion): { all: readonly Schema[]; currentId: number } {
  if (version === 1 && !fields.has('schemas')) {
    const schema = parseSchema(fields.raw('schema'))
    return { all: [schema], currentId: schema.schemaId }
  }
  const all = fields.list('schemas', parseSchema)
  const currentId = fields.int('current-schema-id')
  if (!all.some(({ schemaId }) => schemaId === currentId)) {
    throw badRequest(`Invalid table metadata: current-schema-id ${currentId} is not in schemas`)
  }
  return { all, currentId }
}

function parsePartitionSpecs(
  fields: Fields,
  version: FormatVersion,
): { all: readonly PartitionSpec[]; defaultId: number } {
  if (version === 1 && !fields.has('partition-specs')) {
    return {
      all: [parsePartitionFields(fields.list('partition-spec', parsePartitionField), 0)],
      defaultId: 0,
    }
  }
  const all = fields.list('partition-specs', parsePartitionSpec)
  const defaultId = fields.int('default-spec-id')
  if (!all.some(({ specId }) => specId === defaultId)) {
    throw badRequest(`Invalid table metadata: default-spec-id ${defaultId} is not in partition-specs`)
  }
  return { all, defaultId }
}

function parseLastPartitionId(
  fields: Fields,
  version: FormatVersion,
  specs: readonly PartitionSpec[],
): number {
  if (version > 1 || fields.has('last-partition-id')) return fields.int('last-partition-id')
  return specs.reduce((highest, spec) => Math.max(highest, lastPartitionFieldId(spec)), partitionIdStart)
}

function parseSortOrders(
  fields: Fields,
  version: FormatVersion,
): { all: readonly SortOrder[]; defaultId: number } {
  if (version === 1 && !fields.has('sort-orders')) return { all: [unsorted], defaultId: 0 }
  const all = fields.list('sort-orders', parseSortOrder)
  const defaultId = fields.int('default-sort-order-id')
  if (!all.some(({ orderId }) => orderId === defaultId)) {
    throw badRequest(`Invalid table metadata: default-sort-order-id ${defaultId} is not in sort-orders`)
  }
  return { all, defaultId }
}

/** Before v3, -1 stands for none. */
function parseCurrentSnapshotId(fields: Fields): bigint | undefined {
  const id = fields.optionalLong('current-snapshot-id')
  return id === -1n ? undefined : id
}

function parseRefs(fields: Fields, current: bigint | undefined): Readonly<Record<string, SnapshotRef>> {
  if (fields.has('refs')) {
    const entries = Object.entries(fields.object('refs'))
    return Object.fromEntries(entries.map(([name, ref]) => [name, parseSnapshotRef(ref, `ref ${name}`)]))
  }
  if (current === undefined) return {}
  return {
    [mainBranch]: {
      snapshotId: current,
      type: 'branch',
      minSnapshotsToKeep: undefined,
      maxSnapshotAgeMs: undefined,
      maxRefAgeMs: undefined,
    },
  }
}

function checkIntegrity(metadata: TableMetadata): void {
  const ids = new Set<bigint>()
  for (const { snapshotId, sequenceNumber } of metadata.snapshots) {
    if (ids.has(snapshotId))
      throw badRequest(`Invalid table metadata: snapshot ${snapshotId} is listed twice`)
    ids.add(snapshotId)
    if (metadata.formatVersion > 1 && sequenceNumber > metadata.lastSequenceNumber) {
      throw badRequest(
        `Invalid table metadata: snapshot ${snapshotId} has sequence number ${sequenceNumber}, beyond last-sequence-number ${metadata.lastSequenceNumber}`,
      )
    }
  }
  checkUnique(
    'schema',
    metadata.schemas.map(({ schemaId }) => schemaId),
  )
  checkUnique(
    'partition spec',
    metadata.partitionSpecs.map(({ specId }) => specId),
  )
  checkUnique(
    'sort order',
    metadata.sortOrders.map(({ orderId }) => orderId),
  )
  const { currentSnapshotId, refs } = metadata
  if (currentSnapshotId !== undefined && !ids.has(currentSnapshotId)) {
    throw badRequest(`Invalid table metadata: current-snapshot-id ${currentSnapshotId} is not in snapshots`)
  }
  for (const [name, ref] of Object.entries(refs)) {
    if (!ids.has(ref.snapshotId)) {
      throw badRequest(
        `Invalid table metadata: ref ${name} points to ${ref.snapshotId}, which is not in snapshots`,
      )
    }
  }
  const main = Object.hasOwn(refs, mainBranch) ? refs[mainBranch] : undefined
  if (main && main.snapshotId !== currentSnapshotId) {
    throw badRequest(
      `Invalid table metadata: current-snapshot-id ${currentSnapshotId ?? 'none'} does not match ref main, which points to ${main.snapshotId}`,
    )
  }
}

function checkUnique(what: string, ids: readonly number[]): void {
  const seen = new Set<number>()
  for (const id of ids) {
    if (seen.has(id)) throw badRequest(`Invalid table metadata: ${what} ${id} is listed twice`)
    seen.add(id)
  }
}
