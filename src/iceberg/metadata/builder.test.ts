import { describe, expect, it } from 'vitest'
import {
  addSnapshot,
  append,
  columns,
  commit,
  newTable,
  now,
  refusal,
  schema,
  setRef,
  uuid,
} from '../../../test/metadata/tables.ts'
import { newTableMetadata } from './builder.ts'
import { parseTableMetadata } from './parse.ts'
import { printTableMetadata } from './print.ts'

const set = (updates: Record<string, string>) => ({ action: 'set-properties', updates })
const upgrade = (version: number) => ({ action: 'upgrade-format-version', 'format-version': version })
const location = (to: string) => ({ action: 'set-location', location: to })

describe('a new table', () => {
  const create = (table: Partial<Parameters<typeof newTableMetadata>[0]>) =>
    newTableMetadata({
      schema: schema(),
      partitionSpec: undefined,
      writeOrder: undefined,
      location: 's3://b/t//',
      properties: {},
      uuid,
      now,
      ...table,
    })

  it('gets column ids level by level, which spec, order and identifiers follow', () => {
    const table = create({
      schema: {
        type: 'struct',
        'schema-id': 7,
        'identifier-field-ids': [40],
        fields: [
          {
            id: 10,
            name: 'point',
            required: true,
            type: { type: 'struct', fields: [{ id: 40, name: 'x', required: true, type: 'int' }] },
          },
          {
            id: 20,
            name: 'tags',
            required: false,
            type: { type: 'list', 'element-id': 30, 'element-required': true, element: 'string' },
          },
          {
            id: 50,
            name: 'm',
            required: false,
            type: {
              type: 'map',
              'key-id': 60,
              key: 'string',
              'value-id': 70,
              'value-required': false,
              value: 'long',
            },
          },
        ],
      },
      partitionSpec: {
        'spec-id': 3,
        fields: [{ 'source-id': 40, 'field-id': 77, name: 'x_b', transform: 'bucket[8]' }],
      },
      writeOrder: {
        'order-id': 3,
        fields: [{ 'source-id': 40, transform: 'identity', direction: 'desc', 'null-order': 'nulls-last' }],
      },
    })
    expect(table.schemas[0]?.fields.map(({ id }) => id)).toEqual([1, 2, 3])
    expect(table.lastColumnId).toBe(7)
    expect(table.schemas[0]?.identifierFieldIds).toEqual([4])
    expect(table.partitionSpecs).toEqual([
      { specId: 0, fields: [{ sourceId: 4, fieldId: 1000, name: 'x_b', transform: 'bucket[8]' }] },
    ])
    expect(table.sortOrders[0]).toMatchObject({ orderId: 1, fields: [{ sourceId: 4 }] })
    expect([table.lastPartitionId, table.defaultSortOrderId, table.currentSchemaId]).toEqual([1000, 1, 0])
    expect(table.location).toBe('s3://b/t')
  })

  it('is of version 2, or of the one in its properties, and stores no reserved name', () => {
    expect(create({}).formatVersion).toBe(2)
    const table = create({
      properties: { 'format-version': '3', uuid: 'x', 'current-schema': '1', mine: 'y' },
    })
    expect(table.formatVersion).toBe(3)
    expect(table.properties).toEqual({ 'write.parquet.compression-codec': 'zstd', mine: 'y' })
    expect(create({ properties: { 'write.parquet.compression-codec': 'gzip' } }).properties).toEqual({
      'write.parquet.compression-codec': 'gzip',
    })
    for (const version of ['4', '0', 'two', '']) {
      expect(refusal(() => create({ properties: { 'format-version': version } }))).toContain(
        'Unsupported format version',
      )
    }
  })

  it('needs sources for its spec and order, and types of its version', () => {
    const fields = [{ 'source-id': 9, name: 'x', transform: 'identity' }]
    expect(refusal(() => create({ partitionSpec: { fields } }))).toContain(
      'Cannot find source column for partition field',
    )
    expect(
      refusal(() => create({ schema: schema([{ id: 1, name: 'v', required: false, type: 'variant' }]) })),
    ).toContain('until v3')
    expect(refusal(() => create({ location: '//' }))).toContain('must not be empty')
  })
})

describe('a table created by updates', () => {
  const updates = [
    { action: 'assign-uuid', uuid },
    { action: 'add-schema', schema: schema(columns) },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
    { action: 'set-default-spec', 'spec-id': -1 },
    { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
    location('s3://b/t/'),
    set({ a: 'b' }),
  ]

  it('is what Iceberg Java sends for a transaction that creates', () => {
    const table = commit(undefined, [...updates, ...append(5n, { 'sequence-number': 1 })])
    expect(table).toMatchObject({
      formatVersion: 2,
      tableUuid: uuid,
      location: 's3://b/t',
      lastColumnId: 2,
      lastPartitionId: 999,
      currentSnapshotId: 5n,
      metadataLog: [],
      properties: { a: 'b' },
    })
    expect(table.sortOrders).toEqual([{ orderId: 0, fields: [] }])
  })

  it('has the version of the first upgrade', () => {
    expect(commit(undefined, [...updates, upgrade(3)]).formatVersion).toBe(3)
    expect(commit(undefined, [upgrade(1), ...updates]).formatVersion).toBe(1)
  })

  const leavingOut = (...actions: string[]) => updates.filter(({ action }) => !actions.includes(action))

  it('has its first schema and spec as current before they are set', () => {
    const table = commit(
      undefined,
      leavingOut('set-current-schema', 'set-default-spec', 'set-default-sort-order'),
    )
    expect([table.currentSchemaId, table.defaultSpecId, table.defaultSortOrderId]).toEqual([0, 0, 0])
  })

  it.each([
    [['set-location'], 'no location was set'],
    [['add-schema', 'set-current-schema'], 'before a current schema is set'],
    [['add-schema'], 'no schema has been added'],
    [['add-spec', 'set-default-spec'], 'unknown spec'],
    [['add-sort-order', 'set-default-sort-order'], 'unknown order'],
  ])('is refused without %s', (actions, message) => {
    expect(refusal(() => commit(undefined, leavingOut(...actions)))).toContain(message)
  })
})

describe('versions', () => {
  it('only go up, to 3', () => {
    const table = newTable(1)
    const two = commit(table, [upgrade(2)])
    expect(two.formatVersion).toBe(2)
    expect(commit(two, [upgrade(2)])).toBe(two)
    expect(refusal(() => commit(two, [upgrade(1)]))).toBe(
      '400 BadRequestException: Cannot downgrade v2 table to v1',
    )
    expect(refusal(() => commit(two, [upgrade(4)]))).toContain('unsupported format version: v4')
  })

  it('from 2 on have a UUID, which an old table gets with the upgrade', () => {
    const old = { ...newTable(1), tableUuid: undefined }
    expect(commit(old, [set({ a: 'b' })]).tableUuid).toBeUndefined()
    expect(commit(old, [upgrade(2)]).tableUuid).toBe(uuid)
    expect(parseTableMetadata(Buffer.from(printTableMetadata(commit(old, [upgrade(2)])))).tableUuid).toBe(
      uuid,
    )
  })

  it('of tables with snapshots go up and stay readable', () => {
    const table = commit(commit(newTable(1), append(1n)), [upgrade(3)])
    expect(parseTableMetadata(Buffer.from(printTableMetadata(table)))).toEqual(table)
    expect(table.nextRowId).toBe(0n)
  })
})

describe('UUID, location and properties', () => {
  it('a UUID is assigned once, in any case', () => {
    const assign = (value: string) => [{ action: 'assign-uuid', uuid: value }]
    expect(commit(newTable(), assign(uuid.toUpperCase())).tableUuid).toBe(uuid)
    expect(refusal(() => commit(newTable(), assign(uuid.replace('9', '8'))))).toContain(
      'Cannot reassign uuid',
    )
    expect(refusal(() => commit(newTable(), assign('x')))).toContain('must be a UUID')
  })

  it('a location loses its trailing slashes; the same one is no change', () => {
    const table = newTable()
    expect(commit(table, [location('s3://b/t///')])).toBe(table)
    expect(commit(table, [location('s3://c/x/')]).location).toBe('s3://c/x')
    expect(refusal(() => commit(table, [location('/')]))).toContain('must not be empty')
  })

  it('properties are set and removed, in both spellings of the protocol; reserved names are not stored', () => {
    const table = commit(newTable(), [{ action: 'set-properties', updated: { a: '1', b: '2', uuid: 'x' } }])
    expect(table.properties).toMatchObject({ a: '1', b: '2' })
    expect(table.properties).not.toHaveProperty('uuid')
    const fewer = commit(table, [{ action: 'remove-properties', removed: ['a', 'nothing'] }])
    expect(fewer.properties).not.toHaveProperty('a')
    expect(commit(table, [set({}), { action: 'remove-properties', removals: [] }])).toBe(table)
    expect(commit(table, [set({ uuid: 'x' })])).toBe(table)
  })
})

describe('the metadata log', () => {
  const file = (index: number) => `s3://b/t/metadata/${index}.metadata.json`

  it('names the files before, the newest of them, up to the bound', () => {
    let table = newTable(2, { 'write.metadata.previous-versions-max': '3' })
    for (let index = 0; index < 6; index++) {
      table = commit(table, [set({ index: String(index) })], {
        previous: file(index),
        now: now + BigInt(index),
      })
    }
    expect(table.metadataLog).toEqual([
      { timestampMs: now + 2n, metadataFile: file(3) },
      { timestampMs: now + 3n, metadataFile: file(4) },
      { timestampMs: now + 4n, metadataFile: file(5) },
    ])
    const one = commit(table, [set({ 'write.metadata.previous-versions-max': '-5' })], { previous: file(6) })
    expect(one.metadataLog.map(({ metadataFile }) => metadataFile)).toEqual([file(6)])
  })

  it('keeps a hundred unless told', () => {
    let table = newTable()
    for (let index = 0; index < 105; index++)
      table = commit(table, [set({ a: String(index) })], { previous: file(index) })
    expect(table.metadataLog).toHaveLength(100)
    expect(table.metadataLog.at(-1)?.metadataFile).toBe(file(104))
  })

  it('does not grow when nothing changes', () => {
    const table = newTable()
    expect(commit(table, [], { previous: file(0) })).toBe(table)
  })
})

describe('statistics and encryption keys', () => {
  const table = commit(newTable(), append(2n ** 62n, { 'sequence-number': 1 }))
  const statistics = (path: string) => ({
    action: 'set-statistics',
    'snapshot-id': 2n ** 62n,
    statistics: {
      'snapshot-id': 2n ** 62n,
      'statistics-path': path,
      'file-size-in-bytes': 2n ** 60n,
      'file-footer-size-in-bytes': 1,
      'key-metadata': 'a2V5',
      'blob-metadata': [
        { type: 'x', 'snapshot-id': 2n ** 62n, 'sequence-number': 1, fields: [1], properties: { ndv: '3' } },
      ],
    },
  })
  const partition = (path: string) => ({
    action: 'set-partition-statistics',
    'partition-statistics': { 'snapshot-id': 2n ** 62n, 'statistics-path': path, 'file-size-in-bytes': 9 },
  })

  it('are one file of each kind for a snapshot: a new one replaces the old', () => {
    const two = commit(table, [statistics('a'), partition('p'), statistics('b'), partition('q')])
    expect(two.statistics.map(({ statisticsPath }) => statisticsPath)).toEqual(['b'])
    expect(two.partitionStatistics.map(({ statisticsPath }) => statisticsPath)).toEqual(['q'])
    expect(parseTableMetadata(Buffer.from(printTableMetadata(two)))).toEqual(two)
  })

  it('are removed; what is not there does not matter', () => {
    const both = commit(table, [statistics('a'), partition('p')])
    const id = { 'snapshot-id': 2n ** 62n }
    const none = commit(both, [
      { action: 'remove-statistics', ...id },
      { action: 'remove-partition-statistics', ...id },
    ])
    expect([none.statistics, none.partitionStatistics]).toEqual([[], []])
    expect(
      commit(none, [
        { action: 'remove-statistics', ...id },
        { action: 'remove-partition-statistics', ...id },
      ]),
    ).toBe(none)
  })

  it('a key is added once and removed by its id', () => {
    const key = (metadata: string) => ({
      action: 'add-encryption-key',
      'encryption-key': {
        'key-id': 'k',
        'encrypted-key-metadata': metadata,
        'encrypted-by-id': 'm',
        properties: { p: 'v' },
      },
    })
    const with1 = commit(newTable(3), [key('AAAA')])
    expect(commit(with1, [key('BBBB')])).toBe(with1)
    expect(parseTableMetadata(Buffer.from(printTableMetadata(with1)))).toEqual(with1)
    const remove = { action: 'remove-encryption-key', 'key-id': 'k' }
    expect(commit(with1, [remove]).encryptionKeys).toEqual([])
    expect(commit(newTable(3), [remove]).encryptionKeys).toEqual([])
  })
})

describe('updates', () => {
  const refused: [object, string][] = [
    [{ action: 'drop-column' }, 'unknown action "drop-column"'],
    [{ action: 'constructor' }, 'unknown action "constructor"'],
    [{}, 'action is missing'],
    [{ action: 'set-location' }, 'location is missing'],
    [{ action: 'add-snapshot' }, 'snapshot'],
    [{ action: 'remove-snapshots', 'snapshot-ids': [2n ** 63n] }, 'must be a 64-bit integer'],
    [{ action: 'set-properties', updates: { a: 1 } }, 'updates.a must be a string'],
  ]
  it.each(refused.map(([update, message]) => ({ update, message })))('$message', ({ update, message }) => {
    expect(refusal(() => commit(newTable(), [update]))).toMatch(/^400 BadRequestException/)
    expect(refusal(() => commit(newTable(), [update]))).toContain(message)
  })

  it('of a commit that fails leave the base as it was', () => {
    const table = newTable()
    const before = printTableMetadata(table)
    refusal(() => commit(table, [set({ a: 'b' }), addSnapshot(1n), setRef('x', 2n)]))
    expect(printTableMetadata(table)).toBe(before)
  })
})
