import { printJson } from '../json/exact-json.ts'
import { encryptedKeyJson, partitionStatisticsFileJson, statisticsFileJson } from './files.ts'
import type { Snapshot, TableMetadata } from './model.ts'
import { partitionFieldJson, partitionSpecJson } from './partition-spec.ts'
import { schemaJson } from './schema.ts'
import { printSnapshot, snapshotRefJson } from './snapshot.ts'
import { sortOrderJson } from './sort-order.ts'

/**
 * Table metadata as JSON text, as the specification and Iceberg Java write it: v1 repeats the current schema and the
 * default spec for old readers; no current snapshot is -1 before v3 and null from then on; `refs` and `statistics` are
 * always there.
 */
export function printTableMetadata(metadata: TableMetadata): string {
  return print(metadata, metadata.snapshots)
}

/**
 * The same with only those snapshots that a ref points at directly: the answer to `snapshots=refs`. Everything else,
 * the snapshot log included, stays.
 */
export function printReferencedSnapshots(metadata: TableMetadata): string {
  const referenced = new Set(Object.values(metadata.refs).map(({ snapshotId }) => snapshotId))
  return print(
    metadata,
    metadata.snapshots.filter(({ snapshotId }) => referenced.has(snapshotId)),
  )
}

function print(metadata: TableMetadata, snapshots: readonly Snapshot[]): string {
  const { formatVersion } = metadata
  const head = printJson({
    'format-version': formatVersion,
    'table-uuid': metadata.tableUuid,
    location: metadata.location,
    'last-sequence-number': formatVersion > 1 ? metadata.lastSequenceNumber : undefined,
    'last-updated-ms': metadata.lastUpdatedMs,
    'last-column-id': metadata.lastColumnId,
    ...(formatVersion === 1 && v1Members(metadata)),
    'current-schema-id': metadata.currentSchemaId,
    schemas: metadata.schemas.map(schemaJson),
    'default-spec-id': metadata.defaultSpecId,
    'partition-specs': metadata.partitionSpecs.map(partitionSpecJson),
    'last-partition-id': metadata.lastPartitionId,
    'default-sort-order-id': metadata.defaultSortOrderId,
    'sort-orders': metadata.sortOrders.map(sortOrderJson),
    properties: metadata.properties,
    'current-snapshot-id': metadata.currentSnapshotId ?? (formatVersion >= 3 ? null : -1),
    'next-row-id': formatVersion >= 3 ? metadata.nextRowId : undefined,
    'encryption-keys':
      metadata.encryptionKeys.length > 0 ? metadata.encryptionKeys.map(encryptedKeyJson) : undefined,
    refs: Object.fromEntries(
      Object.entries(metadata.refs).map(([name, ref]) => [name, snapshotRefJson(ref)]),
    ),
    statistics: metadata.statistics.map(statisticsFileJson),
    'partition-statistics': metadata.partitionStatistics.map(partitionStatisticsFileJson),
  })
  const snapshotTexts = snapshots.map(printSnapshot).join(',')
  const snapshotLog = metadata.snapshotLog
    .map((entry) => `{"timestamp-ms":${entry.timestampMs},"snapshot-id":${entry.snapshotId}}`)
    .join(',')
  const metadataLog = metadata.metadataLog
    .map(
      (entry) =>
        `{"timestamp-ms":${entry.timestampMs},"metadata-file":${JSON.stringify(entry.metadataFile)}}`,
    )
    .join(',')
  return `${head.slice(0, -1)},"snapshots":[${snapshotTexts}],"snapshot-log":[${snapshotLog}],"metadata-log":[${metadataLog}]}`
}

function v1Members(metadata: TableMetadata): object {
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId)!
  const spec = metadata.partitionSpecs.find(({ specId }) => specId === metadata.defaultSpecId)!
  return { schema: schemaJson(schema), 'partition-spec': spec.fields.map(partitionFieldJson) }
}
