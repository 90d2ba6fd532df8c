import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import {
  InvalidMessageError,
  keptReceipt,
  parseReceipt,
  parseTask,
  type Receipt,
  type Task,
} from './messages.ts'

const task: Task = {
  version: 1,
  purge: '2a9c1c1e-2b6f-4a53-9f0e-4b8f4f9f2f11',
  generation: 3,
  task: 0,
  warehouse: 'lake',
  namespace: ['ns'],
  name: 't',
  uuid: null,
  root: 's3://b/t/metadata/1.metadata.json',
  locations: ['s3://b/t'],
  keep: [],
  until: '2026-11-23T12:00:00.000Z',
  manifests: [{ path: 's3://b/t/metadata/m.avro', length: 7000, entries: null }],
}

const receipt: Receipt = {
  version: 1,
  purge: task.purge,
  generation: 3,
  task: 0,
  consumer: 'host:1',
  counts: { deleted: 9, absent: 0, kept: 0, blocked: 1, failed: 0, left: 0 },
  bytes: 900,
  failures: [{ path: 's3://b/t/data/1', outcome: 'blocked', code: 'AccessDenied', message: 'no' }],
  error: null,
}

const ajv = new Ajv2020({ formats: { 'date-time': true } })
const schemaOf = (name: string) => {
  const file = new URL(`../../../../schema/kafka/${name}.v1.schema.json`, import.meta.url)
  return ajv.compile(JSON.parse(readFileSync(file, 'utf8')) as object)
}

const kinds = [
  ['task', task, parseTask],
  ['receipt', receipt, parseReceipt],
] as const

/** Values that are wrong for every member. */
const wrong = [undefined, true, -1, 0.5, [7], { x: 1 }]

describe.each(kinds)('a %s', (name, message, parse) => {
  const matches = schemaOf(name)
  const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))

  it('is what its schema says, and is read as it was written', () => {
    expect(matches(message), ajv.errorsText(matches.errors)).toBe(true)
    expect(parse(bytes({ ...message, unknown: 1 }))).toMatchObject(message)
  })

  it.each(Object.keys(message))('is refused by schema and reader alike when its %s is wrong', (member) => {
    for (const value of wrong) {
      const bad = { ...message, [member]: value }
      expect(matches(JSON.parse(JSON.stringify(bad))), JSON.stringify(value)).toBe(false)
      expect(() => parse(bytes(bad))).toThrow(InvalidMessageError)
    }
  })

  it('is refused when it is no JSON, no object, or of another version', () => {
    for (const text of ['', '{', '[]', 'null', JSON.stringify({ ...message, version: 2 })]) {
      expect(() => parse(Buffer.from(text))).toThrow(InvalidMessageError)
    }
  })
})

it('is refused with what is inside of it', () => {
  const inside: readonly object[] = [
    { counts: { ...receipt.counts, left: -1 } },
    { failures: [{ ...receipt.failures[0], outcome: 'deleted' }] },
    { failures: [{ path: 'x' }] },
    { error: { code: 'c', message: 'm' } },
  ]
  const matches = schemaOf('receipt')
  for (const part of inside) {
    expect(matches({ ...receipt, ...part })).toBe(false)
    expect(keptReceipt({ ...receipt, ...part })).toBeUndefined()
  }
  expect(keptReceipt(receipt)).toEqual(receipt)
})
