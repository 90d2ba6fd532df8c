import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
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
import { isJsonObject, type JsonObject, parseJson, printJson } from '../json/exact-json.ts'
import type { TableMetadata } from './model.ts'
import { decodeMetadataFile, parseTableMetadata } from './parse.ts'
import { printReferencedSnapshots, printTableMetadata } from './print.ts'

function json(table: TableMetadata): JsonObject {
  const value = parseJson(printTableMetadata(table))
  if (!isJsonObject(value)) throw new Error('must be an object')
  return value
}

const parse = (value: object) => parseTableMetadata(Buffer.from(printJson(value)))
const without = (value: JsonObject, ...names: string[]) =>
  Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))

describe.each([1, 2, 3] as const)('v%i metadata', (version) => {
  const rows = version === 3 ? { 'first-row-id': 0, 'added-rows': 5 } : {}
  const id = 2n ** 63n - 1n
  const table = commit(newTable(version), append(id, { 'sequence-number': version === 1 ? 0 : 1, ...rows }), {
    previous: 'a "quoted" file',
  })

  it('comes back from its text, empty or with snapshots', () => {
    expect(parse(json(newTable(version)))).toEqual(newTable(version))
    expect(parse(json(table))).toEqual(table)
  })

  it('is printed as the specification says', () => {
    const printed = json(table)
    expect(printed['current-snapshot-id']).toBe(id)
    expect(json(newTable(version))['current-snapshot-id']).toBe(version === 3 ? null : -1)
    expect(printed).toMatchObject({ refs: { main: { 'snapshot-id': id, type: 'branch' } }, statistics: [] })
    expect(Object.hasOwn(printed, 'last-sequence-number')).toBe(version > 1)
    expect(Object.hasOwn(printed, 'next-row-id')).toBe(version > 2)
    expect(Object.hasOwn(printed, 'schema')).toBe(version === 1)
    expect(Object.hasOwn(printed, 'partition-spec')).toBe(version === 1)
    const [snapshot] = printed.snapshots as JsonObject[]
    expect(Object.hasOwn(snapshot!, 'sequence-number')).toBe(version > 1)
  })

  it('drops members that nobody knows', () => {
    expect(parse({ ...json(table), 'last-friend-id': 1 })).toEqual(table)
  })

  it('takes current-snapshot-id -1, null and none for no snapshot', () => {
    const empty = json(newTable(version))
    for (const none of [{ 'current-snapshot-id': -1 }, { 'current-snapshot-id': null }, {}]) {
      expect(parse({ ...without(empty, 'current-snapshot-id'), ...none }).currentSnapshotId).toBeUndefined()
    }
  })

  it('without refs has main where the current snapshot is', () => {
    expect(parse(without(json(table), 'refs')).refs).toEqual(table.refs)
    expect(parse(without(json(newTable(version)), 'refs')).refs).toEqual({})
  })
})

describe('v1 metadata of old writers', () => {
  const spec = [{ 'source-id': 1, name: 'id_bucket', transform: 'bucket[4]' }]
  const old = {
    'format-version': 1,
    location: '/t',
    'last-updated-ms': now,
    'last-column-id': 2,
    schema: { type: 'struct', fields: columns },
    'partition-spec': spec,
    'current-snapshot-id': 7,
    snapshots: [{ 'snapshot-id': 7, 'timestamp-ms': now, manifests: ['/t/m1.avro', '/t/m2.avro'] }],
  }

  it('lacks lists, logs, ids and the UUID, which are filled in', () => {
    const table = parse(old)
    expect(table).toMatchObject({
      tableUuid: undefined,
      currentSchemaId: 0,
      defaultSpecId: 0,
      defaultSortOrderId: 0,
      lastPartitionId: 1000,
      lastSequenceNumber: 0n,
      properties: {},
      snapshotLog: [],
      metadataLog: [],
      sortOrders: [{ orderId: 0, fields: [] }],
    })
    expect(table.partitionSpecs).toEqual([
      { specId: 0, fields: [{ sourceId: 1, fieldId: 1000, name: 'id_bucket', transform: 'bucket[4]' }] },
    ])
    expect(table.refs.main?.snapshotId).toBe(7n)
    expect(table.snapshots[0]).toMatchObject({
      manifests: ['/t/m1.avro', '/t/m2.avro'],
      manifestList: undefined,
    })
    expect(parse(json(table))).toEqual(table)
  })

  it('is v1’s privilege', () => {
    for (const missing of [
      'schemas',
      'partition-specs',
      'sort-orders',
      'table-uuid',
      'last-partition-id',
      'last-sequence-number',
    ]) {
      expect(refusal(() => parse(without(json(newTable(2)), missing)))).toContain(`${missing} is missing`)
    }
    expect(refusal(() => parse(without(json(newTable(3)), 'next-row-id')))).toContain(
      'next-row-id is missing',
    )
  })
})

describe('metadata that is refused', () => {
  const good = json(commit(newTable(2), append(1n, { 'sequence-number': 1 })))
  const snapshot = (good.snapshots as JsonObject[])[0]!
  const refused: [object, string][] = [
    [{ 'format-version': 4 }, 'unsupported table format version 4'],
    [{ 'format-version': 0 }, 'unsupported table format version 0'],
    [{ 'current-snapshot-id': 2n ** 63n }, 'current-snapshot-id must be a 64-bit integer'],
    [{ snapshots: [{ ...snapshot, 'snapshot-id': 2n ** 63n }] }, 'an integer beyond 64 bits'],
    [{ snapshots: [snapshot, snapshot] }, 'snapshot 1 is listed twice'],
    [{ snapshots: [] }, 'current-snapshot-id 1 is not in snapshots'],
    [{ 'last-sequence-number': 0 }, 'beyond last-sequence-number 0'],
    [{ 'current-schema-id': 3 }, 'current-schema-id 3 is not in schemas'],
    [{ 'default-spec-id': 3 }, 'default-spec-id 3 is not in partition-specs'],
    [{ 'default-sort-order-id': 3 }, 'default-sort-order-id 3 is not in sort-orders'],
    [{ schemas: [schema(), schema()] }, 'schema 0 is listed twice'],
    [
      {
        'partition-specs': [
          { 'spec-id': 0, fields: [] },
          { 'spec-id': 0, fields: [] },
        ],
      },
      'partition spec 0 is listed twice',
    ],
    [
      {
        'sort-orders': [
          { 'order-id': 0, fields: [] },
          { 'order-id': 0, fields: [] },
        ],
      },
      'sort order 0 is listed twice',
    ],
    [{ refs: { x: { 'snapshot-id': 5, type: 'tag' } } }, 'ref x points to 5, which is not in snapshots'],
    [{ 'current-snapshot-id': -1 }, 'current-snapshot-id none does not match ref main, which points to 1'],
    [{ snapshots: [without(snapshot, 'manifest-list')] }, 'manifests is missing'],
    [{ location: 7 }, 'location must be a string'],
    [{ properties: [] }, 'properties must be an object of strings'],
  ]
  it.each(refused.map(([change, message]) => ({ change, message })))('$message', ({ change, message }) => {
    expect(parse(good)).toMatchObject({ tableUuid: uuid })
    expect(refusal(() => parse({ ...good, ...change }))).toMatch(/^400 BadRequestException/)
    expect(refusal(() => parse({ ...good, ...change }))).toContain(message)
  })

  it.each(['', '{', '[]', 'null', '"x"', '\u0000'])('text %j', (text) => {
    expect(refusal(() => parseTableMetadata(Buffer.from(text)))).toMatch(
      /^400 BadRequestException: Invalid table metadata/,
    )
  })
})

describe('a metadata file', () => {
  const text = Buffer.from(printTableMetadata(newTable()))

  it('is decompressed when it is gzip, whatever its name', () => {
    for (const name of ['a.gz.metadata.json', 'a.metadata.json.gz', 'a.metadata.json']) {
      expect(decodeMetadataFile(gzipSync(text), name)).toEqual(text)
      expect(decodeMetadataFile(text, name)).toEqual(text)
    }
  })

  it('that is broken gzip is refused by name', () => {
    expect(refusal(() => decodeMetadataFile(gzipSync(text).subarray(0, 60), 's3://b/x'))).toMatch(
      /^400 .*s3:\/\/b\/x/,
    )
  })
})

describe('summaries', () => {
  it('keep numbers and booleans as their text, and leave null out', () => {
    const table = commit(newTable(), [
      ...append(1n, {
        'sequence-number': 1,
        summary: { operation: 'append', n: 2n ** 62n, b: true, z: null },
      }),
    ])
    expect(table.snapshots[0]?.summary).toEqual({ operation: 'append', n: '4611686018427387904', b: 'true' })
  })
})

it('snapshots=refs prints only the snapshots that a ref points at directly', () => {
  let table = newTable()
  for (const id of [1n, 2n, 3n, 4n]) table = commit(table, append(id, { 'sequence-number': id }))
  table = commit(table, [setRef('t', 2n, { type: 'tag' })])
  const printed = parseJson(printReferencedSnapshots(table)) as JsonObject
  expect((printed.snapshots as JsonObject[]).map((each) => each['snapshot-id'])).toEqual([2, 4])
  expect(without(printed, 'snapshots')).toEqual(without(json(table), 'snapshots'))
})
