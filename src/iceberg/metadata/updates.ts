/**
 * The 23 changes of a table that a commit can ask for, as the REST specification names them, parsed.
 */
import { badRequest } from '../errors.ts'
import type { JsonValue } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import { parseEncryptedKey, parsePartitionStatisticsFile, parseStatisticsFile } from './files.ts'
import type {
  EncryptedKey,
  PartitionStatisticsFile,
  Properties,
  Snapshot,
  SnapshotRef,
  StatisticsFile,
} from './model.ts'
import { parseUnboundPartitionSpec, type UnboundPartitionSpec } from './partition-spec.ts'
import { parseSchema, type Schema } from './schema.ts'
import { parseSnapshot, parseSnapshotRef } from './snapshot.ts'
import { parseSortOrder, type SortOrder } from './sort-order.ts'

export type TableUpdate =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly formatVersion: number }
  | { readonly action: 'add-schema'; readonly schema: Schema }
  /** -1: the one added last by the same commit; likewise below. */
  | { readonly action: 'set-current-schema'; readonly schemaId: number }
  | { readonly action: 'add-spec'; readonly spec: UnboundPartitionSpec }
  | { readonly action: 'set-default-spec'; readonly specId: number }
  | { readonly action: 'add-sort-order'; readonly sortOrder: SortOrder }
  | { readonly action: 'set-default-sort-order'; readonly sortOrderId: number }
  | { readonly action: 'add-snapshot'; readonly snapshot: Snapshot }
  | { readonly action: 'set-snapshot-ref'; readonly refName: string; readonly ref: SnapshotRef }
  | { readonly action: 'remove-snapshots'; readonly snapshotIds: readonly bigint[] }
  | { readonly action: 'remove-snapshot-ref'; readonly refName: string }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'set-properties'; readonly updates: Properties }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] }
  | { readonly action: 'set-statistics'; readonly statistics: StatisticsFile }
  | { readonly action: 'remove-statistics'; readonly snapshotId: bigint }
  | { readonly action: 'set-partition-statistics'; readonly partitionStatistics: PartitionStatisticsFile }
  | { readonly action: 'remove-partition-statistics'; readonly snapshotId: bigint }
  | { readonly action: 'remove-partition-specs'; readonly specIds: readonly number[] }
  | { readonly action: 'remove-schemas'; readonly schemaIds: readonly number[] }
  | { readonly action: 'add-encryption-key'; readonly encryptionKey: EncryptedKey }
  | { readonly action: 'remove-encryption-key'; readonly keyId: string }

type Action = TableUpdate['action']

const parsers: {
  readonly [A in Action]: (fields: Fields) => Omit<Extract<TableUpdate, { action: A }>, 'action'>
} = {
  'assign-uuid': (fields) => ({ uuid: fields.string('uuid') }),
  'upgrade-format-version': (fields) => ({ formatVersion: fields.int('format-version') }),
  'add-schema': (fields) => ({ schema: parseSchema(fields.raw('schema')) }),
  'set-current-schema': (fields) => ({ schemaId: fields.int('schema-id') }),
  'add-spec': (fields) => ({ spec: parseUnboundPartitionSpec(fields.raw('spec')) }),
  'set-default-spec': (fields) => ({ specId: fields.int('spec-id') }),
  'add-sort-order': (fields) => ({ sortOrder: parseSortOrder(fields.raw('sort-order')) }),
  'set-default-sort-order': (fields) => ({ sortOrderId: fields.int('sort-order-id') }),
  'add-snapshot': (fields) => ({ snapshot: parseSnapshot(fields.raw('snapshot')) }),
  'set-snapshot-ref': parseSetSnapshotRef,
  'remove-snapshots': (fields) => ({ snapshotIds: fields.longs('snapshot-ids') }),
  'remove-snapshot-ref': (fields) => ({ refName: fields.string('ref-name') }),
  'set-location': (fields) => ({ location: fields.string('location') }),
  // `updated` and `removed` are the spellings of Iceberg Java before 1.0.
  'set-properties': (fields) => ({
    updates: fields.stringMap(fields.has('updates') ? 'updates' : 'updated'),
  }),
  'remove-properties': (fields) => ({
    removals: fields.strings(fields.has('removals') ? 'removals' : 'removed'),
  }),
  'set-statistics': (fields) => ({ statistics: parseStatisticsFile(fields.raw('statistics')) }),
  'remove-statistics': (fields) => ({ snapshotId: fields.long('snapshot-id') }),
  'set-partition-statistics': (fields) => ({
    partitionStatistics: parsePartitionStatisticsFile(fields.raw('partition-statistics')),
  }),
  'remove-partition-statistics': (fields) => ({ snapshotId: fields.long('snapshot-id') }),
  'remove-partition-specs': (fields) => ({ specIds: fields.ints('spec-ids') }),
  'remove-schemas': (fields) => ({ schemaIds: fields.ints('schema-ids') }),
  'add-encryption-key': (fields) => ({ encryptionKey: parseEncryptedKey(fields.raw('encryption-key')) }),
  'remove-encryption-key': (fields) => ({ keyId: fields.string('key-id') }),
}

function parseSetSnapshotRef(fields: Fields) {
  const refName = fields.string('ref-name')
  const members = ['snapshot-id', 'type', 'min-snapshots-to-keep', 'max-snapshot-age-ms', 'max-ref-age-ms']
  const ref = Object.fromEntries(members.map((name) => [name, fields.raw(name) ?? null]))
  return { refName, ref: parseSnapshotRef(ref, `ref ${refName}`) }
}

/** Parses a commit's `updates`. Throws BadRequestException, naming an action that is not known. */
export function parseTableUpdates(json: JsonValue | undefined): TableUpdate[] {
  return new Fields({ updates: json ?? null }, 'commit').list('updates', parseTableUpdate)
}

function parseTableUpdate(value: JsonValue, what: string): TableUpdate {
  const fields = new Fields(value, what)
  const action = fields.string('action')
  if (!isAction(action)) {
    throw badRequest(`Cannot apply ${what}: unknown action ${JSON.stringify(action)}`)
  }
  return { action, ...parsers[action](fields) } as TableUpdate
}

function isAction(action: string): action is Action {
  return Object.hasOwn(parsers, action)
}
