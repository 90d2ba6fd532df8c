/** Random schemas and values, encoded by avsc: the slots come out, and everything else is stepped over exactly. */
import avro from 'avsc'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { exactLong } from '../../../testing/table-writer/avro-file.ts'
import { compileDecoder, type SlotValue } from './projection.ts'
import { parseAvroSchema } from './schema.ts'

/** A schema without names, and values of it. */
interface Shape {
  readonly schema: (name: () => string) => Schema
  readonly value: (schema: Schema) => fc.Arbitrary<unknown>
}
// biome-ignore lint/suspicious/noExplicitAny: Avro schemas are JSON of any form
type Schema = any

const primitive = (type: string, value: fc.Arbitrary<unknown>): Shape => ({
  schema: () => type,
  value: () => value,
})
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

const primitives: Shape[] = [
  primitive('null', fc.constant(null)),
  primitive('boolean', fc.boolean()),
  primitive('int', fc.integer()),
  primitive('long', int64),
  primitive('float', fc.float({ noNaN: true })),
  primitive('double', fc.double({ noNaN: true })),
  primitive('bytes', bytes),
  primitive('string', fc.string({ unit: 'binary' })),
]

const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...primitives),
    fc.integer({ min: 1, max: 20 }).map((size) => ({
      schema: (name: () => string) => ({ type: 'fixed', name: name(), size }),
      value: () => fc.uint8Array({ minLength: size, maxLength: size }).map((array) => Buffer.from(array)),
    })),
    fc.constant({
      schema: (name: () => string) => ({ type: 'enum', name: name(), symbols: ['A', 'B', 'C'] }),
      value: () => fc.constantFrom('A', 'B', 'C'),
    }),
    tie('shape').map((items) => ({
      schema: (name: () => string) => ({ type: 'array', items: items.schema(name) }),
      value: (schema: Schema) => fc.array(items.value(schema.items), { maxLength: 4 }),
    })),
    tie('shape').map((values) => ({
      schema: (name: () => string) => ({ type: 'map', values: values.schema(name) }),
      value: (schema: Schema) => fc.dictionary(fc.string(), values.value(schema.values), { maxKeys: 3 }),
    })),
    fc.array(tie('shape'), { maxLength: 4 }).map((fields) => ({
      schema: (name: () => string) => ({
        type: 'record',
        name: name(),
        fields: fields.map((field) => ({ name: name(), type: field.schema(name) })),
      }),
      value: (schema: Schema) =>
        fc.record(
          Object.fromEntries(
            fields.map((field, at) => [schema.fields[at].name, field.value(schema.fields[at].type)]),
          ),
        ),
    })),
    fc.uniqueArray(fc.constantFrom(...primitives.keys()), { minLength: 1 }).map((chosen) => ({
      schema: () => chosen.map((at) => primitives[at]!.schema(() => '')),
      value: (schema: Schema) =>
        fc.oneof(
          ...chosen.map((at, branch) =>
            schema[branch] === 'null'
              ? fc.constant(null)
              : primitives[at]!.value('').map((value) => ({ [schema[branch]]: value })),
          ),
        ),
    })),
  ),
}))

const slots = [
  { fieldId: 1, name: 'number', kind: 'number' },
  {
    fieldId: 2,
    name: 'inner',
    kind: 'record',
    slots: [
      { fieldId: 3, name: 'text', kind: 'string' },
      { fieldId: 4, name: 'present', kind: 'present' },
    ],
  },
] as const

/** A record with the slots in some order among fields of any type, and values of it with what the slots must give. */
const file = fc
  .record({
    around: fc.array(shape, { minLength: 3, maxLength: 6 }),
    present: shape,
    order: fc.constantFrom([1, 2], [2, 1]),
    inner: fc.constantFrom([3, 4], [4, 3]),
  })
  .chain(({ around, present, order, inner }) => {
    let names = 0
    const name = () => `n${names++}`
    const noise = around.map((one) => ({ name: name(), type: one.schema(name) }))
    const field = (id: number): object => {
      if (id === 1) return { name: 'a', type: ['null', 'long'], 'field-id': 1 }
      if (id === 3) return { name: 'b', type: 'string', 'field-id': 3 }
      if (id === 4) return { name: 'c', type: present.schema(name), 'field-id': 4 }
      const fields = [field(inner[0]!), noise[0]!, field(inner[1]!)]
      return { name: 'd', type: ['null', { type: 'record', name: name(), fields }], 'field-id': 2 }
    }
    const schema: Schema = {
      type: 'record',
      name: 'top',
      fields: [noise[1]!, field(order[0]!), noise[2]!, field(order[1]!), ...noise.slice(3)],
    }
    const innerType = schema.fields.find((each: Schema) => each['field-id'] === 2).type[1]
    const presentType = innerType.fields.find((each: Schema) => each['field-id'] === 4).type
    const noiseValues = Object.fromEntries(
      around.map((one, at) => [noise[at]!.name, one.value(noise[at]!.type)]),
    )
    const record = fc.record({
      noise: fc.record(noiseValues),
      number: fc.option(fc.integer({ min: -(2 ** 52), max: 2 ** 53 - 1 })),
      text: fc.string({ unit: 'grapheme' }),
      present: present.value(presentType),
      hasInner: fc.boolean(),
    })
    const values = (drawn: Record<string, Schema>) => ({
      ...drawn.noise,
      a: drawn.number === null ? null : { long: BigInt(drawn.number) },
      d: drawn.hasInner
        ? {
            [innerType.name]: {
              [noise[0]!.name]: drawn.noise[noise[0]!.name],
              b: drawn.text,
              c: drawn.present,
            },
          }
        : null,
    })
    const expected = (drawn: Record<string, Schema>): SlotValue[] => [
      drawn.number ?? undefined,
      drawn.hasInner ? drawn.text : undefined,
      drawn.hasInner && drawn.present !== null ? true : undefined,
    ]
    return fc.array(record, { maxLength: 4 }).map((drawn) => ({
      schema,
      records: drawn.map(values),
      expected: drawn.map(expected),
    }))
  })

it('reads its slots among fields of any type', () => {
  fc.assert(
    fc.property(file, ({ schema, records, expected }) => {
      const type = avro.Type.forSchema(schema, { registry: { long: exactLong }, wrapUnions: true } as object)
      const block = Buffer.concat(records.map((record) => type.toBuffer(record)))
      const decode = compileDecoder(parseAvroSchema(JSON.stringify(schema)), slots, (...values) => values)
      const found: SlotValue[][] = []
      expect(decode(block, 0, records.length, found)).toBe(block.length)
      expect(found).toEqual(expected)
    }),
    { numRuns: 1000 },
  )
})

it('refuses what does not hold records', () => {
  expect(() => compileDecoder(parseAvroSchema('"long"'), slots, String)).toThrow('does not hold records')
})
