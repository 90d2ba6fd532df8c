/** Small tables for tests of metadata. */
import type { IcebergError } from '../../src/iceberg/errors.ts'
import { type JsonValue, parseJson, printJson } from '../../src/iceberg/json/exact-json.ts'
import { applyTableUpdates, newTableMetadata } from '../../src/iceberg/metadata/builder.ts'
import type { TableMetadata } from '../../src/iceberg/metadata/model.ts'
import { parseTableUpdates } from '../../src/iceberg/metadata/updates.ts'

export const now = 1_700_000_000_000n
export const uuid = '9c12d441-03fe-4693-9a96-a0705ddf69c1'

export const columns = [
  { id: 1, name: 'id', required: true, type: 'long' },
  { id: 2, name: 'name', required: false, type: 'string' },
]

export const schema = (fields: readonly object[] = columns, id = 0) => ({
  type: 'struct',
  'schema-id': id,
  fields: [...fields],
})

export function newTable(
  formatVersion: 1 | 2 | 3 = 2,
  properties: Record<string, string> = {},
): TableMetadata {
  return newTableMetadata({
    schema: schema(),
    partitionSpec: undefined,
    writeOrder: undefined,
    location: 's3://b/t',
    properties: { 'format-version': String(formatVersion), ...properties },
    uuid,
    now,
  })
}

/** Applies updates given as a client sends them, bigints as numbers of 64 bits. */
export function commit(
  base: TableMetadata | undefined,
  updates: readonly object[],
  context: { now?: bigint; previous?: string } = {},
): TableMetadata {
  return applyTableUpdates(base, parseTableUpdates(parseJson(printJson(updates)) as JsonValue), {
    now: context.now ?? now,
    previousMetadataLocation: context.previous ?? undefined,
    newUuid: () => uuid,
  })
}

/** The updates of an append: a snapshot, and main pointing to it. */
export function append(id: bigint, members: Record<string, unknown> = {}): object[] {
  return [addSnapshot(id, members), setRef('main', id)]
}

export function addSnapshot(id: bigint, members: Record<string, unknown> = {}): object {
  return {
    action: 'add-snapshot',
    snapshot: {
      'snapshot-id': id,
      'timestamp-ms': now,
      'manifest-list': `s3://b/t/metadata/snap-${id}.avro`,
      summary: { operation: 'append' },
      'schema-id': 0,
      ...members,
    },
  }
}

export function setRef(name: string, id: bigint, members: Record<string, unknown> = {}): object {
  return { action: 'set-snapshot-ref', 'ref-name': name, 'snapshot-id': id, type: 'branch', ...members }
}

/** What a commit answers that must fail: `409 CommitFailedException: …`. */
export function refusal(attempt: () => unknown): string {
  try {
    attempt()
  } catch (error) {
    const { status, type, message } = error as IcebergError
    return `${status} ${type}: ${message}`
  }
  throw new Error('Nothing was refused')
}
