/**
 * Table metadata of format versions 1 to 3 as values: immutable, `long` as bigint, `int` as number, names of the
 * specification (https://iceberg.apache.org/spec/#table-metadata-and-snapshots) in camel case. What the specification
 * gives a default is filled in by the parser; what may be missing is `undefined`.
 */

import type { PartitionSpec } from './partition-spec.ts'
import type { Schema } from './schema.ts'
import type { SortOrder } from './sort-order.ts'

export type FormatVersion = 1 | 2 | 3
export type Properties = Readonly<Record<string, string>>

export interface TableMetadata {
  readonly formatVersion: FormatVersion
  /** Missing in old v1 tables only. */
  readonly tableUuid: string | undefined
  readonly location: string
  /** 0 in v1. */
  readonly lastSequenceNumber: bigint
  readonly lastUpdatedMs: bigint
  readonly lastColumnId: number
  readonly schemas: readonly Schema[]
  readonly currentSchemaId: number
  readonly partitionSpecs: readonly PartitionSpec[]
  readonly defaultSpecId: number
  readonly lastPartitionId: number
  readonly sortOrders: readonly SortOrder[]
  readonly defaultSortOrderId: number
  readonly properties: Properties
  /** Undefined: the table has no current snapshot. */
  readonly currentSnapshotId: bigint | undefined
  readonly snapshots: readonly Snapshot[]
  readonly snapshotLog: readonly SnapshotLogEntry[]
  readonly metadataLog: readonly MetadataLogEntry[]
  readonly refs: Readonly<Record<string, SnapshotRef>>
  readonly statistics: readonly StatisticsFile[]
  readonly partitionStatistics: readonly PartitionStatisticsFile[]
  /** 0 before v3. */
  readonly nextRowId: bigint
  readonly encryptionKeys: readonly EncryptedKey[]
}

export interface Snapshot {
  readonly snapshotId: bigint
  readonly parentSnapshotId: bigint | undefined
  /** 0 in v1. */
  readonly sequenceNumber: bigint
  readonly timestampMs: bigint
  /** Undefined only where `manifests` is given. */
  readonly manifestList: string | undefined
  /** v1: locations of manifests, embedded instead of a list. */
  readonly manifests: readonly string[] | undefined
  /** Undefined in old v1 snapshots. Holds `operation`. */
  readonly summary: Properties | undefined
  readonly schemaId: number | undefined
  readonly firstRowId: bigint | undefined
  readonly addedRows: bigint | undefined
  readonly keyId: string | undefined
}

export interface SnapshotLogEntry {
  readonly timestampMs: bigint
  readonly snapshotId: bigint
}

export interface MetadataLogEntry {
  readonly timestampMs: bigint
  readonly metadataFile: string
}

export interface SnapshotRef {
  readonly snapshotId: bigint
  readonly type: 'branch' | 'tag'
  readonly minSnapshotsToKeep: number | undefined
  readonly maxSnapshotAgeMs: bigint | undefined
  readonly maxRefAgeMs: bigint | undefined
}

export interface StatisticsFile {
  readonly snapshotId: bigint
  readonly statisticsPath: string
  /** Bytes. */
  readonly fileSizeInBytes: bigint
  /** Bytes. */
  readonly fileFooterSizeInBytes: bigint
  readonly keyMetadata: string | undefined
  readonly blobMetadata: readonly BlobMetadata[]
}

export interface BlobMetadata {
  readonly type: string
  readonly snapshotId: bigint
  readonly sequenceNumber: bigint
  readonly fields: readonly number[]
  readonly properties: Properties | undefined
}

export interface PartitionStatisticsFile {
  readonly snapshotId: bigint
  readonly statisticsPath: string
  /** Bytes. */
  readonly fileSizeInBytes: bigint
}

export interface EncryptedKey {
  readonly keyId: string
  /** Base64. */
  readonly encryptedKeyMetadata: string
  readonly encryptedById: string | undefined
  readonly properties: Properties | undefined
}

/** The branch whose head is the current snapshot. */
export const mainBranch = 'main'
