/**
 * The rules by which table metadata changes. Each group of updates has a file of its own (`apply-*.ts`); this one
 * dispatches, and does what belongs to a whole commit: the time, the snapshot log, the metadata log, the final checks.
 */
import { badRequest } from '../errors.ts'
import type { JsonValue } from '../json/exact-json.ts'
import { applyFiles } from './apply-files.ts'
import { applyLayout } from './apply-layout.ts'
import { applySchemas } from './apply-schemas.ts'
import { applySnapshots, settledSnapshotLog } from './apply-snapshots.ts'
import { Draft } from './draft.ts'
import type { MetadataLogEntry, Properties, SnapshotLogEntry, TableMetadata } from './model.ts'
import { checkPartitionSpec, parseUnboundPartitionSpec } from './partition-spec.ts'
import { integerProperty, withoutReserved } from './properties.ts'
import { checkSchemaVersion, columnIndex, parseSchema, withFreshColumnIds } from './schema.ts'
import { checkSortOrder, parseSortOrder } from './sort-order.ts'
import type { TableUpdate } from './updates.ts'

export interface CommitContext {
  /** Milliseconds since the epoch. */
  readonly now: bigint
  /** The metadata file that holds the base; it goes into the metadata log. */
  readonly previousMetadataLocation?: string | undefined
  /** For a table created by updates that assign no UUID. */
  newUuid(): string
}

export interface NewTable {
  /** Parsed JSON of the request, as are the next two; undefined spec: unpartitioned, undefined order: unsorted. */
  readonly schema: unknown
  readonly partitionSpec: unknown
  readonly writeOrder: unknown
  readonly location: string
  readonly properties: Properties
  readonly uuid: string
  readonly now: bigint
}

/**
 * Metadata of a new table: column, partition field and order ids are assigned afresh, `format-version` among the
 * properties chooses the version (2 when missing), other reserved names are left out. Throws BadRequestException.
 */
export function newTableMetadata(table: NewTable): TableMetadata {
  const requested = parseSchema(table.schema as JsonValue | undefined)
  const { schema, newIds, lastId } = withFreshColumnIds(requested)
  const fresh = (sourceId: number, what: string): number => {
    const id = newIds.get(sourceId)
    if (id === undefined) throw badRequest(`Cannot find source column for ${what}: source-id ${sourceId}`)
    return id
  }
  const draft = new Draft(undefined, formatVersionOf(table.properties))
  checkSchemaVersion(schema, draft.formatVersion)
  draft.schemas = [schema]
  draft.currentSchemaId = schema.schemaId
  draft.lastColumnId = lastId

  const spec =
    table.partitionSpec == null ? { fields: [] } : parseUnboundPartitionSpec(table.partitionSpec as JsonValue)
  const fields = spec.fields.map((field, index) => ({
    ...field,
    sourceId: fresh(field.sourceId, 'partition field'),
    fieldId: draft.lastPartitionId + 1 + index,
  }))
  draft.partitionSpecs = [{ specId: 0, fields }]
  draft.defaultSpecId = 0
  draft.lastPartitionId += fields.length
  checkPartitionSpec(draft.partitionSpecs[0]!, schema)

  const order = table.writeOrder == null ? { fields: [] } : parseSortOrder(table.writeOrder as JsonValue)
  const sorted = order.fields.map((field) => ({ ...field, sourceId: fresh(field.sourceId, 'sort field') }))
  draft.sortOrders = [{ orderId: sorted.length > 0 ? 1 : 0, fields: sorted }]
  draft.defaultSortOrderId = draft.sortOrders[0]!.orderId
  checkSortOrder(draft.sortOrders[0]!, schema)

  draft.uuid = table.uuid
  draft.location = withoutTrailingSlash(table.location)
  draft.properties = { 'write.parquet.compression-codec': 'zstd', ...withoutReserved(table.properties) }
  return finish(draft, table.now, [])
}

/**
 * Applies a commit's updates in order. Without a base they create the table: its version is that of the first
 * upgrade-format-version, or 2. Gives the base itself when nothing changed effectively.
 *
 * Throws BadRequestException for updates that can never be applied, CommitFailedException for those that a client may
 * repeat on fresh metadata (a sequence number or row id that another commit has taken meanwhile).
 */
export function applyTableUpdates(
  base: TableMetadata | undefined,
  updates: readonly TableUpdate[],
  context: CommitContext,
): TableMetadata {
  const draft = new Draft(base, initialVersion(updates))
  for (const update of updates) apply(draft, update, context)
  if (!draft.changed && base) return base
  // Old v1 tables may have none; from v2 on it is required.
  if (!base || draft.formatVersion > 1) draft.uuid ??= context.newUuid()
  return finish(draft, context.now, metadataLog(draft, context.previousMetadataLocation))
}

function apply(draft: Draft, update: TableUpdate, context: CommitContext): void {
  switch (update.action) {
    case 'assign-uuid':
      assignUuid(draft, update.uuid)
      return
    case 'upgrade-format-version':
      upgradeFormatVersion(draft, update.formatVersion)
      return
    case 'set-location':
      setLocation(draft, update.location)
      return
    case 'set-properties':
      setProperties(draft, update.updates)
      return
    case 'remove-properties':
      removeProperties(draft, update.removals)
      return
    case 'add-schema':
    case 'set-current-schema':
    case 'remove-schemas':
      applySchemas(draft, update)
      return
    case 'add-spec':
    case 'set-default-spec':
    case 'remove-partition-specs':
    case 'add-sort-order':
    case 'set-default-sort-order':
      applyLayout(draft, update)
      return
    case 'add-snapshot':
    case 'set-snapshot-ref':
    case 'remove-snapshot-ref':
    case 'remove-snapshots':
      applySnapshots(draft, update, context.now)
      return
    case 'set-statistics':
    case 'remove-statistics':
    case 'set-partition-statistics':
    case 'remove-partition-statistics':
    case 'add-encryption-key':
    case 'remove-encryption-key':
      applyFiles(draft, update)
      return
  }
}

function assignUuid(draft: Draft, uuid: string): void {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) {
    throw badRequest(`Cannot assign uuid: must be a UUID, but is ${JSON.stringify(uuid.slice(0, 100))}`)
  }
  if (draft.uuid?.toLowerCase() === uuid.toLowerCase()) return
  if (draft.base?.tableUuid !== undefined) {
    throw badRequest(`Cannot reassign uuid: the table has ${draft.base.tableUuid}`)
  }
  draft.uuid = uuid
  draft.changed = true
}

function upgradeFormatVersion(draft: Draft, version: number): void {
  if (version !== 1 && version !== 2 && version !== 3) {
    throw badRequest(`Cannot upgrade table to unsupported format version: v${version} (supported: v3)`)
  }
  if (version < draft.formatVersion) {
    throw badRequest(`Cannot downgrade v${draft.formatVersion} table to v${version}`)
  }
  if (version === draft.formatVersion) return
  draft.formatVersion = version
  draft.changed = true
}

function setLocation(draft: Draft, location: string): void {
  const trimmed = withoutTrailingSlash(location)
  if (draft.location === trimmed) return
  draft.location = trimmed
  draft.changed = true
}

function setProperties(draft: Draft, updates: Properties): void {
  const stored = withoutReserved(updates)
  if (Object.keys(stored).length === 0) return
  draft.properties = { ...draft.properties, ...stored }
  draft.changed = true
}

function removeProperties(draft: Draft, removals: readonly string[]): void {
  if (removals.length === 0) return
  const removed = new Set(removals)
  draft.properties = Object.fromEntries(
    Object.entries(draft.properties).filter(([name]) => !removed.has(name)),
  )
  draft.changed = true
}

function formatVersionOf(properties: Properties): 1 | 2 | 3 {
  const value = Object.hasOwn(properties, 'format-version') ? properties['format-version']! : '2'
  if (value === '1') return 1
  if (value === '2') return 2
  if (value === '3') return 3
  throw badRequest(`Unsupported format version: v${value.slice(0, 20)} (supported: v1, v2, v3)`)
}

function initialVersion(updates: readonly TableUpdate[]): 1 | 2 | 3 {
  const upgrade = updates.find((update) => update.action === 'upgrade-format-version')
  const version = upgrade?.formatVersion
  return version === 1 || version === 3 ? version : 2
}

/** The log with the base's file appended, trimmed from its old end to `write.metadata.previous-versions-max`. */
function metadataLog(draft: Draft, previous: string | undefined): readonly MetadataLogEntry[] {
  const log = draft.base?.metadataLog ?? []
  if (!draft.base || previous === undefined) return log
  const max = Math.max(1, integerProperty(draft.properties, 'write.metadata.previous-versions-max', 100))
  const entry = { timestampMs: draft.base.lastUpdatedMs, metadataFile: previous }
  return [...log, entry].slice(-max)
}

const clockTolerance = 60_000n

function finish(draft: Draft, now: bigint, log: readonly MetadataLogEntry[]): TableMetadata {
  const { base } = draft
  if (draft.location === undefined) throw badRequest('Cannot create table: no location was set')
  const schema = draft.schemas.find(({ schemaId }) => schemaId === draft.currentSchemaId)
  const spec = draft.partitionSpecs.find(({ specId }) => specId === draft.defaultSpecId)
  const order = draft.sortOrders.find(({ orderId }) => orderId === draft.defaultSortOrderId)
  if (!schema) throw badRequest('Cannot create table: no current schema was set')
  if (!spec) throw badRequest(`Cannot set default partition spec to unknown spec: ${draft.defaultSpecId}`)
  if (!order) throw badRequest(`Cannot set default sort order to unknown order: ${draft.defaultSortOrderId}`)
  // A column that left the schema leaves its fields in specs of old: only what is new has to fit.
  if (
    spec !== base?.partitionSpecs.find(({ specId }) => specId === draft.defaultSpecId) ||
    schemaChanged(draft)
  ) {
    checkBound(
      spec.fields.filter(({ transform }) => transform !== 'void'),
      schema,
      'partition field',
    )
  }
  checkSortOrder(order, schema)
  // Clocks of replicas differ: time in metadata never goes back.
  const lastUpdatedMs = base && base.lastUpdatedMs > now ? base.lastUpdatedMs : now
  const snapshotLog = settledSnapshotLog(draft)
  if (draft.snapshotLog !== base?.snapshotLog) checkTimes(snapshotLog, lastUpdatedMs)
  return {
    formatVersion: draft.formatVersion,
    tableUuid: draft.uuid,
    location: draft.location,
    lastSequenceNumber: draft.lastSequenceNumber,
    lastUpdatedMs,
    lastColumnId: draft.lastColumnId,
    schemas: draft.schemas,
    currentSchemaId: draft.currentSchemaId,
    partitionSpecs: draft.partitionSpecs,
    defaultSpecId: draft.defaultSpecId,
    lastPartitionId: draft.lastPartitionId,
    sortOrders: draft.sortOrders,
    defaultSortOrderId: draft.defaultSortOrderId,
    properties: draft.properties,
    currentSnapshotId: draft.currentSnapshotId,
    snapshots: draft.snapshots,
    snapshotLog,
    metadataLog: log,
    refs: draft.refs,
    statistics: draft.statistics,
    partitionStatistics: draft.partitionStatistics,
    nextRowId: draft.nextRowId,
    encryptionKeys: draft.encryptionKeys,
  }
}

/**
 * A snapshot's time is its client's. Iceberg Java cannot read a log that goes back in time by more than a minute; a
 * snapshot from the future would make one of every commit after it.
 */
function checkTimes(log: readonly SnapshotLogEntry[], lastUpdatedMs: bigint): void {
  let last: bigint | undefined
  for (const time of [...log.map(({ timestampMs }) => timestampMs), lastUpdatedMs]) {
    if (last !== undefined && last - time > clockTolerance) {
      throw badRequest(
        `Invalid update timestamp ${time}: before last snapshot log entry at ${last}; check the client's clock`,
      )
    }
    last = time
  }
}

function schemaChanged(draft: Draft): boolean {
  return draft.base?.currentSchemaId !== draft.currentSchemaId
}

function checkBound(
  fields: readonly { readonly sourceId: number; readonly name: string }[],
  schema: Parameters<typeof columnIndex>[0],
  what: string,
): void {
  for (const { sourceId, name } of fields) {
    if (!columnIndex(schema).has(sourceId)) {
      throw badRequest(`Cannot find source column for ${what} ${name}: source-id ${sourceId}`)
    }
  }
}

function withoutTrailingSlash(location: string): string {
  const trimmed = location.replace(/\/+$/, '')
  if (trimmed === '') throw badRequest('Invalid location: must not be empty')
  return trimmed
}
