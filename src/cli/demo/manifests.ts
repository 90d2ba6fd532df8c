import { randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import avro from 'avsc'

/** A data file, or a file of position deletes, as a manifest lists it. */
export interface ListedFile {
  readonly content: 'data' | 'position-deletes'
  readonly path: string
  /** Value of the identity partition; undefined in a table without partitions. */
  readonly region: string | undefined
  readonly rows: number
  readonly bytes: number
}

export interface Entry {
  readonly status: 'existing' | 'added' | 'deleted'
  readonly snapshotId: bigint
  readonly sequenceNumber: number
  readonly file: ListedFile
}

/** A manifest, as a manifest list lists it. */
export interface ListedManifest {
  readonly path: string
  readonly length: number
  readonly content: 'data' | 'deletes'
  readonly snapshotId: bigint
  readonly sequenceNumber: number
  readonly entries: readonly Entry[]
}

const statuses = { existing: 0, added: 1, deleted: 2 } as const
const long = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint | number) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(BigInt(value))
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint' || Number.isSafeInteger(value),
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

const optional = (type: string) => ['null', type]

/** The fields of a v2 manifest's entries, with the ids of the Iceberg specification. */
function entrySchema(isPartitioned: boolean) {
  const partition = isPartitioned ? [{ name: 'region', type: 'string', 'field-id': 1000 }] : []
  const dataFile = [
    { name: 'content', type: 'int', 'field-id': 134 },
    { name: 'file_path', type: 'string', 'field-id': 100 },
    { name: 'file_format', type: 'string', 'field-id': 101 },
    { name: 'partition', type: { type: 'record', name: 'r102', fields: partition }, 'field-id': 102 },
    { name: 'record_count', type: 'long', 'field-id': 103 },
    { name: 'file_size_in_bytes', type: 'long', 'field-id': 104 },
  ]
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      { name: 'status', type: 'int', 'field-id': 0 },
      { name: 'snapshot_id', type: optional('long'), 'field-id': 1 },
      { name: 'sequence_number', type: optional('long'), 'field-id': 3 },
      { name: 'file_sequence_number', type: optional('long'), 'field-id': 4 },
      { name: 'data_file', type: { type: 'record', name: 'r2', fields: dataFile }, 'field-id': 2 },
    ],
  }
}

const listSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    { name: 'manifest_path', type: 'string', 'field-id': 500 },
    { name: 'manifest_length', type: 'long', 'field-id': 501 },
    { name: 'partition_spec_id', type: 'int', 'field-id': 502 },
    { name: 'content', type: 'int', 'field-id': 517 },
    { name: 'sequence_number', type: 'long', 'field-id': 515 },
    { name: 'min_sequence_number', type: 'long', 'field-id': 516 },
    { name: 'added_snapshot_id', type: 'long', 'field-id': 503 },
    { name: 'added_files_count', type: 'int', 'field-id': 504 },
    { name: 'existing_files_count', type: 'int', 'field-id': 505 },
    { name: 'deleted_files_count', type: 'int', 'field-id': 506 },
    { name: 'added_rows_count', type: 'long', 'field-id': 512 },
    { name: 'existing_rows_count', type: 'long', 'field-id': 513 },
    { name: 'deleted_rows_count', type: 'long', 'field-id': 514 },
  ],
}

/** An Avro manifest of format version 2. `schema` and `spec` are JSON, for readers that want them in the header. */
export function manifestFile(
  entries: readonly Entry[],
  content: 'data' | 'deletes',
  schema: unknown,
  specFields: readonly unknown[],
): Buffer {
  const records = entries.map(({ status, snapshotId, sequenceNumber, file }) => ({
    status: statuses[status],
    snapshot_id: snapshotId,
    sequence_number: sequenceNumber,
    file_sequence_number: sequenceNumber,
    data_file: {
      content: file.content === 'data' ? 0 : 1,
      file_path: file.path,
      file_format: 'PARQUET',
      partition: file.region === undefined ? {} : { region: file.region },
      record_count: file.rows,
      file_size_in_bytes: file.bytes,
    },
  }))
  return container(entrySchema(specFields.length > 0), records, {
    schema: JSON.stringify(schema),
    'partition-spec': JSON.stringify(specFields),
    'partition-spec-id': '0',
    'format-version': '2',
    content,
  })
}

/** An Avro manifest list of format version 2. */
export function manifestListFile(
  manifests: readonly ListedManifest[],
  snapshotId: bigint,
  sequenceNumber: number,
): Buffer {
  const records = manifests.map((manifest) => {
    const of = (status: Entry['status']) => manifest.entries.filter((entry) => entry.status === status)
    const rows = (status: Entry['status']) => of(status).reduce((sum, { file }) => sum + file.rows, 0)
    return {
      manifest_path: manifest.path,
      manifest_length: manifest.length,
      partition_spec_id: 0,
      content: manifest.content === 'data' ? 0 : 1,
      sequence_number: manifest.sequenceNumber,
      min_sequence_number: Math.min(...manifest.entries.map((entry) => entry.sequenceNumber)),
      added_snapshot_id: manifest.snapshotId,
      added_files_count: of('added').length,
      existing_files_count: of('existing').length,
      deleted_files_count: of('deleted').length,
      added_rows_count: rows('added'),
      existing_rows_count: rows('existing'),
      deleted_rows_count: rows('deleted'),
    }
  })
  return container(listSchema, records, {
    'snapshot-id': String(snapshotId),
    'sequence-number': String(sequenceNumber),
    'format-version': '2',
  })
}

/** An Avro object container file with one deflated block. avsc's own writer would drop the field ids of the schema. */
function container(schema: object, records: readonly unknown[], metadata: Record<string, string>): Buffer {
  const type = avro.Type.forSchema(schema as avro.Schema, { registry: { long }, wrapUnions: false })
  const header = avro.Type.forSchema({ type: 'map', values: 'bytes' })
  const meta = Object.entries({ 'avro.schema': JSON.stringify(schema), 'avro.codec': 'deflate', ...metadata })
  const sync = randomBytes(16)
  const block = deflateRawSync(Buffer.concat(records.map((record) => type.toBuffer(record))))
  return Buffer.concat([
    Buffer.from('Obj\x01'),
    header.toBuffer(Object.fromEntries(meta.map(([key, value]) => [key, Buffer.from(value)]))),
    sync,
    long.toBuffer(BigInt(records.length)),
    long.toBuffer(BigInt(block.length)),
    block,
    sync,
  ])
}
