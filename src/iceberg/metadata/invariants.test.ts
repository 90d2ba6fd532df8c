/** Random commits, valid or not: whatever is accepted leaves metadata that keeps the specification's promises. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { addSnapshot, columns, commit, newTable, now, schema, setRef } from '../../../test/metadata/tables.ts'
import { isIcebergError } from '../errors.ts'
import { mainBranch, type TableMetadata } from './model.ts'
import { parseTableMetadata } from './parse.ts'
import { printTableMetadata } from './print.ts'
import { columnIndex } from './schema.ts'

const snapshotId = fc.constantFrom(1n, 2n, 3n, 4n, 2n ** 63n - 1n, -(2n ** 63n))
const smallId = fc.integer({ min: -1, max: 3 })
const refName = fc.constantFrom('main', 'main', 'b', '__proto__')
const column = fc.record({
  id: fc.integer({ min: 1, max: 12 }),
  name: fc.constantFrom('a', 'b', 'c'),
  required: fc.boolean(),
  type: fc.constantFrom('long', 'string', 'double', 'timestamp_ns'),
})
const fields = fc.oneof(
  fc.constant(columns),
  fc
    .uniqueArray(column, { selector: ({ id }) => id, minLength: 1, maxLength: 3 })
    .map((more) => [...columns, ...more]),
)
const statistics = (id: bigint) => ({
  'snapshot-id': id,
  'statistics-path': `s3://b/${id}`,
  'file-size-in-bytes': 2n ** 60n,
  'file-footer-size-in-bytes': 1,
  'blob-metadata': [],
})

const snapshot = fc
  .record({
    id: snapshotId,
    sequence: fc.integer({ min: 0, max: 8 }),
    parent: fc.option(snapshotId),
    time: fc.integer({ min: -70_000, max: 70_000 }),
    firstRow: fc.option(fc.integer({ min: 0, max: 40 })),
    rows: fc.option(fc.integer({ min: -1, max: 20 })),
  })
  .map(({ id, sequence, parent, time, firstRow, rows }) =>
    addSnapshot(id, {
      'sequence-number': sequence,
      'parent-snapshot-id': parent,
      'timestamp-ms': now + BigInt(time),
      'first-row-id': firstRow,
      'added-rows': rows,
    }),
  )

/** Snapshots as engines add them: numbered on, moved to a branch by the same commit. */
const tidyAppend = (table: TableMetadata) =>
  fc.tuple(snapshotId, refName).map(([id, name]) => [
    addSnapshot(id, {
      'sequence-number': table.formatVersion === 1 ? 0 : table.lastSequenceNumber + 1n,
      'parent-snapshot-id': table.currentSnapshotId,
      'first-row-id': table.nextRowId,
      'added-rows': 10,
    }),
    setRef(name, id),
  ])

const update = fc.oneof(
  { arbitrary: snapshot, weight: 3 },
  {
    arbitrary: fc
      .tuple(refName, snapshotId, fc.constantFrom('branch', 'tag'))
      .map(([name, id, type]) => setRef(name, id, { type })),
    weight: 3,
  },
  fc.record({
    action: fc.constant('remove-snapshots'),
    'snapshot-ids': fc.array(snapshotId, { maxLength: 3 }),
  }),
  fc.record({ action: fc.constant('remove-snapshot-ref'), 'ref-name': refName }),
  fields.map((each) => ({ action: 'add-schema', schema: schema(each) })),
  fc.record({ action: fc.constant('set-current-schema'), 'schema-id': smallId }),
  fc.record({ action: fc.constant('remove-schemas'), 'schema-ids': fc.array(smallId, { maxLength: 2 }) }),
  fc
    .array(
      fc.record(
        {
          'source-id': fc.integer({ min: 1, max: 12 }),
          'field-id': fc.constantFrom(1000, 1001, 1002, 2 ** 31 - 1),
          name: fc.constantFrom('p', 'q', 'r'),
          transform: fc.constantFrom('identity', 'bucket[4]', 'bucket[8]', 'void'),
        },
        { requiredKeys: ['source-id', 'name', 'transform'] },
      ),
      { maxLength: 2 },
    )
    .map((each) => ({ action: 'add-spec', spec: { fields: each } })),
  fc.record({ action: fc.constant('set-default-spec'), 'spec-id': smallId }),
  fc.record({
    action: fc.constant('remove-partition-specs'),
    'spec-ids': fc.array(smallId, { maxLength: 2 }),
  }),
  fc.integer({ min: 1, max: 12 }).map((id) => ({
    action: 'add-sort-order',
    'sort-order': {
      'order-id': 1,
      fields: [{ 'source-id': id, transform: 'identity', direction: 'asc', 'null-order': 'nulls-last' }],
    },
  })),
  fc.record({ action: fc.constant('set-default-sort-order'), 'sort-order-id': smallId }),
  snapshotId.map((id) => ({ action: 'set-statistics', statistics: statistics(id) })),
  snapshotId.map((id) => ({ action: 'remove-statistics', 'snapshot-id': id })),
  snapshotId.map((id) => ({ action: 'set-partition-statistics', 'partition-statistics': statistics(id) })),
  fc
    .integer({ min: 1, max: 3 })
    .map((version) => ({ action: 'upgrade-format-version', 'format-version': version })),
  fc.string().map((value) => ({ action: 'set-properties', updates: { ['__proto__']: value, a: value } })),
)

it('accepted commits keep the promises of the specification', () => {
  let accepted = 0
  fc.assert(
    fc.property(
      fc.constantFrom(1 as const, 2 as const, 3 as const),
      fc.array(fc.tuple(fc.boolean(), fc.array(update, { minLength: 1, maxLength: 4 })), {
        maxLength: 15,
      }),
      fc.gen(),
      (version, commits, gen) => {
        let table = newTable(version, { 'write.metadata.previous-versions-max': '3' })
        commits.forEach(([tidy, updates], index) => {
          const changes = tidy ? [...gen(tidyAppend, table), ...updates.slice(1)] : updates
          const next = unlessRefused(() =>
            commit(table, changes, { now: now + BigInt(index), previous: `file ${index}` }),
          )
          if (!next) return
          expectPromises(next)
          expectContinues(table, next)
          table = next
          accepted++
        })
      },
    ),
    { numRuns: 1500 },
  )
  expect(accepted).toBeGreaterThan(1000)
})

function unlessRefused<T>(attempt: () => T): T | undefined {
  try {
    return attempt()
  } catch (error) {
    if (isIcebergError(error) && (error.status === 400 || error.status === 409)) return undefined
    throw error
  }
}

function expectPromises(table: TableMetadata): void {
  const text = printTableMetadata(table)
  expect(parseTableMetadata(Buffer.from(text))).toEqual(table)
  const ids = table.snapshots.map((each) => each.snapshotId)
  for (const unique of [
    ids,
    table.schemas.map(({ schemaId }) => schemaId),
    table.partitionSpecs.map(({ specId }) => specId),
    table.sortOrders.map(({ orderId }) => orderId),
    table.statistics.map((each) => each.snapshotId),
    table.partitionStatistics.map((each) => each.snapshotId),
  ]) {
    expect(new Set<bigint | number>(unique).size).toBe(unique.length)
  }
  for (const ref of Object.values(table.refs)) expect(ids).toContain(ref.snapshotId)
  expect(table.refs[mainBranch]?.snapshotId).toBe(table.currentSnapshotId)
  if (table.currentSnapshotId !== undefined)
    expect(table.snapshotLog.at(-1)?.snapshotId).toBe(table.currentSnapshotId)
  for (const entry of table.snapshotLog) expect(ids).toContain(entry.snapshotId)
  expect(table.metadataLog.length).toBeLessThanOrEqual(3)
  const current = table.schemas.find(({ schemaId }) => schemaId === table.currentSchemaId)!
  const columnIds = columnIndex(current)
  const spec = table.partitionSpecs.find(({ specId }) => specId === table.defaultSpecId)!
  const order = table.sortOrders.find(({ orderId }) => orderId === table.defaultSortOrderId)!
  for (const { sourceId, transform } of spec.fields)
    if (transform !== 'void') expect(columnIds.has(sourceId)).toBe(true)
  for (const { sourceId } of order.fields) expect(columnIds.has(sourceId)).toBe(true)
  for (const each of table.schemas) {
    for (const id of columnIndex(each).keys()) expect(id).toBeLessThanOrEqual(table.lastColumnId)
  }
  for (const { fields } of table.partitionSpecs) {
    for (const { fieldId } of fields) expect(fieldId).toBeLessThanOrEqual(table.lastPartitionId)
  }
}

function expectContinues(before: TableMetadata, after: TableMetadata): void {
  expect(after.formatVersion).toBeGreaterThanOrEqual(before.formatVersion)
  expect(after.lastColumnId).toBeGreaterThanOrEqual(before.lastColumnId)
  expect(after.lastPartitionId).toBeGreaterThanOrEqual(before.lastPartitionId)
  expect(after.lastSequenceNumber >= before.lastSequenceNumber).toBe(true)
  expect(after.nextRowId >= before.nextRowId).toBe(true)
  expect(after.lastUpdatedMs >= before.lastUpdatedMs).toBe(true)
  expect(after.tableUuid).toBe(before.tableUuid)
}
