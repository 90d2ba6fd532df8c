import { describe, expect, it } from 'vitest'
import { columns, commit, newTable, refusal, schema } from '../../../test/metadata/tables.ts'

const addSchema = (fields: readonly object[], members = {}) => ({
  action: 'add-schema',
  schema: { ...schema(fields), ...members },
})
const wider = [...columns, { id: 7, name: 'extra', required: false, type: 'date' }]
const current = (id: number) => ({ action: 'set-current-schema', 'schema-id': id })

describe('schemas', () => {
  it('get the next id, whatever the request says, and -1 means the one added last', () => {
    const table = commit(newTable(), [addSchema(wider, { 'schema-id': 77 }), current(-1)])
    expect(table.schemas.map(({ schemaId }) => schemaId)).toEqual([0, 1])
    expect([table.currentSchemaId, table.lastColumnId]).toEqual([1, 7])
  })

  it('that are there already keep their id, and are not the one added last', () => {
    const table = commit(newTable(), [addSchema(wider), current(-1)])
    expect(commit(table, [addSchema(columns, { 'schema-id': 5 })])).toBe(table)
    expect(commit(table, [addSchema(columns), current(0)]).currentSchemaId).toBe(0)
    expect(refusal(() => commit(table, [addSchema(columns), current(-1)]))).toBe(
      '400 BadRequestException: Cannot set last added schema: no schema has been added',
    )
  })

  it('never let last-column-id go down; the request’s is ignored', () => {
    let table = commit(newTable(), [addSchema(wider), current(-1)])
    table = commit(table, [{ ...addSchema(columns.slice(0, 1)), 'last-column-id': 99 }, current(-1)])
    expect(table.lastColumnId).toBe(7)
    expect(table.currentSchemaId).toBe(2)
  })

  it('are removed unless current; unknown ones do not matter', () => {
    const table = commit(newTable(), [addSchema(wider), current(-1)])
    const remove = (...ids: number[]) => ({ action: 'remove-schemas', 'schema-ids': ids })
    expect(commit(table, [remove(0, 9)]).schemas.map(({ schemaId }) => schemaId)).toEqual([1])
    expect(commit(table, [remove(9)])).toBe(table)
    expect(refusal(() => commit(table, [remove(0, 1)]))).toContain('Cannot remove the current schema')
    expect(refusal(() => commit(table, [current(9)]))).toContain('unknown schema: 9')
  })

  it.each(['timestamp_ns', 'timestamptz_ns', 'variant', 'unknown', 'geometry(srid:4326)', 'geography'])(
    'with %s need v3',
    (type) => {
      const add = [addSchema([...columns, { id: 3, name: 'new', required: false, type }])]
      expect(refusal(() => commit(newTable(2), add))).toMatch(
        /^400 .*Invalid type for new: .*not supported until v3/s,
      )
      expect(commit(newTable(3), add).schemas).toHaveLength(2)
      expect(
        commit(newTable(2), [{ action: 'upgrade-format-version', 'format-version': 3 }, ...add])
          .formatVersion,
      ).toBe(3)
    },
  )

  it('with an initial default need v3; a default that is null is none', () => {
    const field = (value: unknown) => [
      addSchema([...columns, { id: 3, name: 'd', required: false, type: 'int', 'initial-default': value }]),
    ]
    expect(refusal(() => commit(newTable(2), field(0)))).toContain(
      'non-null default (0) is not supported until v3',
    )
    expect(commit(newTable(2), field(null)).schemas).toHaveLength(2)
    expect(commit(newTable(3), field(false)).schemas[1]?.fields[2]?.initialDefault).toBe(false)
  })

  it.each([
    [
      [
        { id: 1, name: 'a', required: true, type: 'long' },
        { id: 1, name: 'b', required: true, type: 'long' },
      ],
      'field id 1 is used twice',
    ],
    [
      [
        { id: 1, name: 'a', required: true, type: 'long' },
        { id: 2, name: 'a', required: true, type: 'long' },
      ],
      'field name "a" is used twice',
    ],
    [[{ id: 1, name: 'a', required: true, type: 'decimal(39,2)' }], 'decimal precision must be 1 to 38'],
    [[{ id: 1, name: 'a', required: true, type: 'varchar' }], 'unknown type "varchar"'],
    [[{ id: 1, name: 'a', required: true }], 'a type must be'],
  ])('%j is refused', (fields, message) => {
    expect(refusal(() => commit(newTable(), [addSchema(fields)]))).toMatch(/^400 BadRequestException/)
    expect(refusal(() => commit(newTable(), [addSchema(fields)]))).toContain(message)
  })

  it('identify rows only by required primitive columns that compare exactly', () => {
    const identified = (fields: readonly object[], id: number) =>
      addSchema(fields, { 'identifier-field-ids': [id] })
    expect(commit(newTable(), [identified(columns, 1)]).schemas[1]?.identifierFieldIds).toEqual([1])
    expect(refusal(() => commit(newTable(), [identified(columns, 2)]))).toContain('not a required field')
    expect(refusal(() => commit(newTable(), [identified(columns, 9)]))).toContain('it does not exist')
    expect(
      refusal(() =>
        commit(newTable(), [identified([{ id: 1, name: 'f', required: true, type: 'double' }], 1)]),
      ),
    ).toContain('floating point')
  })
})

const spec = (...fields: object[]) => ({ action: 'add-spec', spec: { 'spec-id': 9, fields } })
const bucket = (width: number, members = {}) => ({
  'source-id': 1,
  name: `b${width}`,
  transform: `bucket[${width}]`,
  ...members,
})
const defaultSpec = (id: number) => ({ action: 'set-default-spec', 'spec-id': id })

describe('partition specs', () => {
  it('get the next id, field ids from 1000, and -1 means the one added last', () => {
    const table = commit(newTable(), [spec(bucket(4)), defaultSpec(-1)])
    expect(table.partitionSpecs[1]).toEqual({
      specId: 1,
      fields: [{ sourceId: 1, fieldId: 1000, name: 'b4', transform: 'bucket[4]' }],
    })
    expect([table.defaultSpecId, table.lastPartitionId]).toEqual([1, 1000])
  })

  it('that are there already keep their id', () => {
    const table = commit(newTable(), [spec(bucket(4)), defaultSpec(-1)])
    expect(commit(table, [spec(bucket(4, { 'field-id': 1500 }))])).toBe(table)
    expect(refusal(() => commit(table, [spec(bucket(4)), defaultSpec(-1)]))).toBe(
      '400 BadRequestException: Cannot set last added spec: no spec has been added',
    )
  })

  it('reuse the field id of the same source and transform', () => {
    const table = commit(newTable(), [spec(bucket(4)), defaultSpec(-1)])
    const next = commit(table, [spec(bucket(8), bucket(4, { name: 'renamed' }))])
    expect(next.partitionSpecs[2]?.fields.map(({ fieldId }) => fieldId)).toEqual([1001, 1000])
    expect(next.lastPartitionId).toBe(1001)
  })

  it('need sequential field ids in v1', () => {
    expect(refusal(() => commit(newTable(1), [spec(bucket(4, { 'field-id': 1001 }))]))).toContain(
      'sequential IDs',
    )
    expect(commit(newTable(1), [spec(bucket(4, { 'field-id': 1000 }))]).partitionSpecs).toHaveLength(2)
  })

  it('cannot have field ids beyond 32 bits', () => {
    const last = commit(newTable(), [spec(bucket(4, { 'field-id': 2 ** 31 - 1 }))])
    expect(refusal(() => commit(last, [spec(bucket(8))]))).toContain('no field ids are left')
  })

  it('are bound to the current schema', () => {
    expect(refusal(() => commit(newTable(), [spec(bucket(4, { 'source-id': 9 }))]))).toContain(
      'Cannot find source column',
    )
    const drop = addSchema(columns.slice(1))
    expect(refusal(() => commit(newTable(), [drop, current(-1), spec(bucket(4))]))).toContain(
      'Cannot find source column',
    )
    expect(
      refusal(() => commit(newTable(), [spec(bucket(4)), defaultSpec(-1), drop, current(-1)])),
    ).toContain('Cannot find source column')
  })

  it.each([
    [[bucket(4), bucket(4, { name: 'again' })], 'has that transform already'],
    [[bucket(4), bucket(8, { name: 'b4' })], 'the name is used twice'],
    [[bucket(4, { name: '' })], 'must not be empty'],
    [[bucket(4, { name: 'name' })], 'a column has that name'],
    [[bucket(4, { transform: 'zorder' })], 'unknown transform "zorder"'],
    [[bucket(4, { 'field-id': 1000 }), bucket(8, { 'field-id': 1000 })], 'a field-id is used twice'],
    [[{ name: 'm', transform: 'bucket[4]', 'source-ids': [1, 2] }], 'multi-argument transforms'],
  ])('%j are refused', (fields, message) => {
    expect(refusal(() => commit(newTable(), [spec(...fields)]))).toContain(message)
  })

  it('are removed unless default', () => {
    const table = commit(newTable(), [spec(bucket(4)), defaultSpec(-1)])
    const remove = (...ids: number[]) => ({ action: 'remove-partition-specs', 'spec-ids': ids })
    expect(commit(table, [remove(0, 9)]).partitionSpecs.map(({ specId }) => specId)).toEqual([1])
    expect(refusal(() => commit(table, [remove(1)]))).toContain('Cannot remove the default partition spec')
    expect(refusal(() => commit(table, [defaultSpec(9)]))).toContain('unknown spec: 9')
  })
})

const order = (...sources: number[]) => ({
  action: 'add-sort-order',
  'sort-order': {
    'order-id': sources.length === 0 ? 0 : 5,
    fields: sources.map((id) => ({
      'source-id': id,
      transform: 'identity',
      direction: 'asc',
      'null-order': 'nulls-first',
    })),
  },
})
const defaultOrder = (id: number) => ({ action: 'set-default-sort-order', 'sort-order-id': id })

describe('sort orders', () => {
  it('begin at 1; 0 is unsorted', () => {
    const table = commit(newTable(), [order(1), defaultOrder(-1)])
    expect(table.sortOrders.map(({ orderId }) => orderId)).toEqual([0, 1])
    expect(table.defaultSortOrderId).toBe(1)
    expect(commit(table, [order(2)]).sortOrders[2]?.orderId).toBe(2)
    expect(commit(table, [order(), defaultOrder(0)]).defaultSortOrderId).toBe(0)
  })

  it('that are there already keep their id', () => {
    const table = commit(newTable(), [order(1), defaultOrder(-1)])
    expect(commit(table, [order(1)])).toBe(table)
    expect(refusal(() => commit(table, [order(1), defaultOrder(-1)]))).toContain(
      'no sort order has been added',
    )
  })

  it('are checked against the schema, when added and when it changes', () => {
    expect(refusal(() => commit(newTable(), [order(9)]))).toContain(
      'Cannot find source column for sort field',
    )
    const table = commit(newTable(), [order(1), defaultOrder(-1)])
    expect(refusal(() => commit(table, [addSchema(columns.slice(1)), current(-1)]))).toContain(
      'Cannot find source column for sort field',
    )
    expect(refusal(() => commit(table, [defaultOrder(9)]))).toContain('unknown order: 9')
  })

  it('with fields cannot have the id 0', () => {
    const zero = { action: 'add-sort-order', 'sort-order': { ...order(1)['sort-order'], 'order-id': 0 } }
    expect(refusal(() => commit(newTable(), [zero]))).toContain('order-id 0 is reserved')
  })
})
