import type { FormatVersion } from '../../iceberg/metadata/model.ts'
import { type AvroCodec, writeAvroFile } from './avro-file.ts'

/** A manifest as a manifest list names it. */
export interface ListedManifest {
  readonly path: string
  /** Bytes. */
  readonly length: number
  /** @default "data" */
  readonly content?: 'data' | 'deletes'
  readonly snapshotId: bigint
  readonly sequenceNumber?: bigint | number
  /** Entries by status; undefined leaves the counts out, where the version allows it. */
  readonly added?: number
  readonly existing?: number
  readonly deleted?: number
  readonly keyMetadata?: Buffer
}

const optional = (type: unknown) => ['null', type]

/** A manifest list of format version 1, 2 or 3. */
export function writeManifestList(options: {
  readonly formatVersion: FormatVersion
  readonly manifests: readonly ListedManifest[]
  /** @default "deflate" */
  readonly codec?: AvroCodec
}): Buffer {
  const { formatVersion, manifests } = options
  return writeAvroFile({
    schema: listSchema(formatVersion),
    records: manifests.map(listRecord),
    codec: options.codec ?? 'deflate',
    metadata: { 'format-version': String(formatVersion) },
  })
}

function listSchema(version: FormatVersion): object {
  const field = (fieldId: number, name: string, type: unknown) => ({ name, type, 'field-id': fieldId })
  const count = version === 1 ? optional('int') : 'int'
  const rows = version === 1 ? optional('long') : 'long'
  const summary = {
    type: 'record',
    name: 'r508',
    fields: [
      field(509, 'contains_null', 'boolean'),
      field(518, 'contains_nan', optional('boolean')),
      field(510, 'lower_bound', optional('bytes')),
      field(511, 'upper_bound', optional('bytes')),
    ],
  }
  return {
    type: 'record',
    name: 'manifest_file',
    fields: [
      field(500, 'manifest_path', 'string'),
      field(501, 'manifest_length', 'long'),
      field(502, 'partition_spec_id', 'int'),
      ...(version > 1
        ? [
            field(517, 'content', 'int'),
            field(515, 'sequence_number', 'long'),
            field(516, 'min_sequence_number', 'long'),
          ]
        : []),
      field(503, 'added_snapshot_id', 'long'),
      field(504, 'added_files_count', count),
      field(505, 'existing_files_count', count),
      field(506, 'deleted_files_count', count),
      field(512, 'added_rows_count', rows),
      field(513, 'existing_rows_count', rows),
      field(514, 'deleted_rows_count', rows),
      field(507, 'partitions', optional({ type: 'array', items: summary, 'element-id': 508 })),
      field(519, 'key_metadata', optional('bytes')),
      ...(version === 3 ? [field(520, 'first_row_id', optional('long'))] : []),
    ],
  }
}

function listRecord(manifest: ListedManifest): object {
  const sequenceNumber = manifest.sequenceNumber ?? 1
  return {
    manifest_path: manifest.path,
    manifest_length: manifest.length,
    partition_spec_id: 0,
    content: manifest.content === 'deletes' ? 1 : 0,
    sequence_number: sequenceNumber,
    min_sequence_number: sequenceNumber,
    added_snapshot_id: manifest.snapshotId,
    added_files_count: manifest.added ?? null,
    existing_files_count: manifest.existing ?? null,
    deleted_files_count: manifest.deleted ?? null,
    added_rows_count: manifest.added ?? null,
    existing_rows_count: manifest.existing ?? null,
    deleted_rows_count: manifest.deleted ?? null,
    partitions: null,
    key_metadata: manifest.keyMetadata ?? null,
    first_row_id: null,
  }
}
