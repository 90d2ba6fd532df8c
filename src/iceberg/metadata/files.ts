/** Statistics files and encryption keys: what table metadata lists besides snapshots. */
import type { JsonValue } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import type { BlobMetadata, EncryptedKey, PartitionStatisticsFile, StatisticsFile } from './model.ts'

export function parseStatisticsFile(value: JsonValue | undefined, what = 'statistics'): StatisticsFile {
  const fields = new Fields(value, what)
  return {
    snapshotId: fields.long('snapshot-id'),
    statisticsPath: fields.string('statistics-path'),
    fileSizeInBytes: fields.long('file-size-in-bytes'),
    fileFooterSizeInBytes: fields.long('file-footer-size-in-bytes'),
    keyMetadata: fields.optionalString('key-metadata'),
    blobMetadata: fields.list('blob-metadata', parseBlobMetadata),
  }
}

function parseBlobMetadata(value: JsonValue, what: string): BlobMetadata {
  const fields = new Fields(value, what)
  return {
    type: fields.string('type'),
    snapshotId: fields.long('snapshot-id'),
    sequenceNumber: fields.long('sequence-number'),
    fields: fields.ints('fields'),
    properties: fields.optionalStringMap('properties'),
  }
}

export function statisticsFileJson(file: StatisticsFile): object {
  return {
    'snapshot-id': file.snapshotId,
    'statistics-path': file.statisticsPath,
    'file-size-in-bytes': file.fileSizeInBytes,
    'file-footer-size-in-bytes': file.fileFooterSizeInBytes,
    'key-metadata': file.keyMetadata,
    'blob-metadata': file.blobMetadata.map((blob) => ({
      type: blob.type,
      'snapshot-id': blob.snapshotId,
      'sequence-number': blob.sequenceNumber,
      fields: blob.fields,
      properties: blob.properties,
    })),
  }
}

export function parsePartitionStatisticsFile(
  value: JsonValue | undefined,
  what = 'partition statistics',
): PartitionStatisticsFile {
  const fields = new Fields(value, what)
  return {
    snapshotId: fields.long('snapshot-id'),
    statisticsPath: fields.string('statistics-path'),
    fileSizeInBytes: fields.long('file-size-in-bytes'),
  }
}

export function partitionStatisticsFileJson(file: PartitionStatisticsFile): object {
  return {
    'snapshot-id': file.snapshotId,
    'statistics-path': file.statisticsPath,
    'file-size-in-bytes': file.fileSizeInBytes,
  }
}

export function parseEncryptedKey(value: JsonValue | undefined, what = 'encryption key'): EncryptedKey {
  const fields = new Fields(value, what)
  return {
    keyId: fields.string('key-id'),
    encryptedKeyMetadata: fields.string('encrypted-key-metadata'),
    encryptedById: fields.optionalString('encrypted-by-id'),
    properties: fields.optionalStringMap('properties'),
  }
}

export function encryptedKeyJson(key: EncryptedKey): object {
  return {
    'key-id': key.keyId,
    'encrypted-key-metadata': key.encryptedKeyMetadata,
    'encrypted-by-id': key.encryptedById,
    properties: key.properties,
  }
}
