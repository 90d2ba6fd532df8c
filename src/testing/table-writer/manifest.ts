import type { FormatVersion } from '../../iceberg/metadata/model.ts'
import { type AvroCodec, writeAvroFile } from './avro-file.ts'

/** A data or delete file as a manifest lists it. */
export interface WrittenFile {
  readonly path: string
  /** @default "data" */
  readonly content?: 'data' | 'position-deletes' | 'equality-deletes'
  /** @default "PARQUET" */
  readonly format?: string
  /** Partition values by field name, as Avro encodes them. */
  readonly partition?: Readonly<Record<string, unknown>>
  readonly recordCount?: bigint | number
  readonly fileSize?: bigint | number
  /** Columns for which all metrics are written. */
  readonly statistics?: readonly ColumnStatistics[]
  readonly keyMetadata?: Buffer
  /** v3 deletion vectors: the data file, and where in the Puffin file the vector is. */
  readonly referencedDataFile?: string
  readonly contentOffset?: bigint | number
  readonly contentSize?: bigint | number
}

export interface ColumnStatistics {
  readonly fieldId: number
  readonly size: number
  readonly values: number
  readonly nulls: number
  readonly lower: Buffer
  readonly upper: Buffer
}

export interface WrittenEntry {
  /** @default "added" */
  readonly status?: 'existing' | 'added' | 'deleted'
  readonly snapshotId: bigint
  readonly sequenceNumber?: bigint | number
  readonly file: WrittenFile
}

export interface PartitionColumn {
  readonly fieldId: number
  readonly name: string
  /** Avro schema of its values. */
  readonly type: unknown
}

export interface ManifestOptions {
  readonly formatVersion: FormatVersion
  readonly entries: readonly WrittenEntry[]
  /** @default [] */
  readonly partition?: readonly PartitionColumn[]
  /** @default "deflate" */
  readonly codec?: AvroCodec
  /** False leaves out the header's keys, as BigQuery does. @default true */
  readonly headerMetadata?: boolean
  /** True writes metrics as Avro maps with string keys, as BigQuery does. @default false */
  readonly realMaps?: boolean
  /** Entries of one Avro block. @default 500 */
  readonly blockSize?: number
}

const statuses = { existing: 0, added: 1, deleted: 2 } as const
const contents = { data: 0, 'position-deletes': 1, 'equality-deletes': 2 } as const

const optional = (type: unknown) => ['null', type]

/** A manifest file of format version 1, 2 or 3. */
export function writeManifest(options: ManifestOptions): Buffer {
  const { formatVersion, entries, partition = [], realMaps = false } = options
  const isDeletes = entries.some(({ file }) => (file.content ?? 'data') !== 'data')
  return writeAvroFile({
    schema: entrySchema(formatVersion, partition, realMaps),
    records: entries.map((entry) => entryRecord(entry, formatVersion, realMaps)),
    codec: options.codec ?? 'deflate',
    metadata:
      options.headerMetadata === false
        ? {}
        : {
            schema: '{"type":"struct","schema-id":0,"fields":[]}',
            'partition-spec': '[]',
            'partition-spec-id': '0',
            'format-version': String(formatVersion),
            ...(formatVersion > 1 && { content: isDeletes ? 'deletes' : 'data' }),
          },
    ...(options.blockSize !== undefined && { blockSize: options.blockSize }),
  })
}

function entrySchema(
  version: FormatVersion,
  partition: readonly PartitionColumn[],
  realMaps: boolean,
): object {
  const metrics = (fieldId: number, name: string, keyId: number, valueId: number, value: string) => ({
    name,
    type: optional(
      realMaps
        ? { type: 'map', values: value }
        : {
            type: 'array',
            logicalType: 'map',
            items: {
              type: 'record',
              name: `k${keyId}_v${valueId}`,
              fields: [
                { name: 'key', type: 'int', 'field-id': keyId },
                { name: 'value', type: value, 'field-id': valueId },
              ],
            },
          },
    ),
    default: null,
    'field-id': fieldId,
  })
  const field = (fieldId: number, name: string, type: unknown) => ({ name, type, 'field-id': fieldId })
  const dataFile = [
    ...(version > 1 ? [field(134, 'content', 'int')] : []),
    field(100, 'file_path', 'string'),
    field(101, 'file_format', 'string'),
    field(102, 'partition', {
      type: 'record',
      name: 'r102',
      fields: partition.map(({ fieldId, name, type }) => field(fieldId, name, type)),
    }),
    field(103, 'record_count', 'long'),
    field(104, 'file_size_in_bytes', 'long'),
    ...(version === 1 ? [field(105, 'block_size_in_bytes', 'long')] : []),
    metrics(108, 'column_sizes', 117, 118, 'long'),
    metrics(109, 'value_counts', 119, 120, 'long'),
    metrics(110, 'null_value_counts', 121, 122, 'long'),
    metrics(137, 'nan_value_counts', 138, 139, 'long'),
    metrics(125, 'lower_bounds', 126, 127, 'bytes'),
    metrics(128, 'upper_bounds', 129, 130, 'bytes'),
    field(131, 'key_metadata', optional('bytes')),
    field(132, 'split_offsets', optional({ type: 'array', items: 'long', 'element-id': 133 })),
    field(135, 'equality_ids', optional({ type: 'array', items: 'int', 'element-id': 136 })),
    field(140, 'sort_order_id', optional('int')),
    ...(version === 3
      ? [
          field(142, 'first_row_id', optional('long')),
          field(143, 'referenced_data_file', optional('string')),
          field(144, 'content_offset', optional('long')),
          field(145, 'content_size_in_bytes', optional('long')),
        ]
      : []),
  ]
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      field(0, 'status', 'int'),
      field(1, 'snapshot_id', version === 1 ? 'long' : optional('long')),
      ...(version > 1
        ? [field(3, 'sequence_number', optional('long')), field(4, 'file_sequence_number', optional('long'))]
        : []),
      field(2, 'data_file', { type: 'record', name: 'r2', fields: dataFile }),
    ],
  }
}

function entryRecord(entry: WrittenEntry, version: FormatVersion, realMaps: boolean): object {
  const { file } = entry
  const metrics = (value: (column: ColumnStatistics) => unknown) => {
    if (!file.statistics) return null
    return realMaps
      ? Object.fromEntries(file.statistics.map((column) => [String(column.fieldId), value(column)]))
      : file.statistics.map((column) => ({ key: column.fieldId, value: value(column) }))
  }
  const dataFile = {
    content: contents[file.content ?? 'data'],
    file_path: file.path,
    file_format: file.format ?? 'PARQUET',
    partition: file.partition ?? {},
    record_count: file.recordCount ?? 1,
    file_size_in_bytes: file.fileSize ?? 1,
    block_size_in_bytes: 67_108_864,
    column_sizes: metrics(({ size }) => size),
    value_counts: metrics(({ values }) => values),
    null_value_counts: metrics(({ nulls }) => nulls),
    nan_value_counts: null,
    lower_bounds: metrics(({ lower }) => lower),
    upper_bounds: metrics(({ upper }) => upper),
    key_metadata: file.keyMetadata ?? null,
    split_offsets: [4],
    equality_ids: file.content === 'equality-deletes' ? [1] : null,
    sort_order_id: 0,
    first_row_id: null,
    referenced_data_file: file.referencedDataFile ?? null,
    content_offset: file.contentOffset ?? null,
    content_size_in_bytes: file.contentSize ?? null,
  }
  const sequenceNumber = entry.sequenceNumber ?? (version > 1 ? 1 : undefined)
  return {
    status: statuses[entry.status ?? 'added'],
    snapshot_id: entry.snapshotId,
    sequence_number: sequenceNumber ?? null,
    file_sequence_number: sequenceNumber ?? null,
    data_file: dataFile,
  }
}
