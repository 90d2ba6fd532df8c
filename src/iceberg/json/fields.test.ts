import { describe, expect, it } from 'vitest'
import { parseJson } from './exact-json.ts'
import { Fields } from './fields.ts'

const of = (json: string) => new Fields(parseJson(json), 'thing')

describe('fields of a JSON object', () => {
  it('are read by type, null as missing', () => {
    const fields = of(
      '{"s":"x","i":-5,"l":9223372036854775807,"b":false,"n":null,"m":{"k":"v"},"is":[1],"ls":[1,-9223372036854775808]}',
    )
    expect(fields.string('s')).toBe('x')
    expect(fields.int('i')).toBe(-5)
    expect(fields.long('i')).toBe(-5n)
    expect(fields.long('l')).toBe(2n ** 63n - 1n)
    expect(fields.boolean('b')).toBe(false)
    expect(fields.has('n')).toBe(false)
    expect(fields.optionalString('n')).toBeUndefined()
    expect(fields.stringMap('m')).toEqual({ k: 'v' })
    expect(fields.ints('is')).toEqual([1])
    expect(fields.longs('ls')).toEqual([1n, -(2n ** 63n)])
  })

  it.each<[string, (fields: Fields) => unknown, string]>([
    ['{}', (f) => f.string('a'), 'Invalid thing: a is missing; it must be a string'],
    ['{"a":1}', (f) => f.string('a'), 'Invalid thing: a must be a string, but is the number 1'],
    ['{"a":"1"}', (f) => f.int('a'), 'Invalid thing: a must be a 32-bit integer, but is a string'],
    ['{"a":2147483648}', (f) => f.int('a'), 'must be a 32-bit integer, but is the number 2147483648'],
    ['{"a":1.5}', (f) => f.long('a'), 'must be a 64-bit integer, but is the number 1.5'],
    [
      '{"a":9223372036854775808}',
      (f) => f.long('a'),
      'must be a 64-bit integer, but is an integer beyond 64 bits',
    ],
    ['{"a":[9223372036854775808]}', (f) => f.longs('a'), 'Invalid a[0] of thing: must be a 64-bit integer'],
    ['{"a":[true]}', (f) => f.ints('a'), 'Invalid a[0] of thing: must be a 32-bit integer, but is a boolean'],
    ['{"a":[null]}', (f) => f.strings('a'), 'Invalid a[0] of thing: must be a string, but is null'],
    ['{"a":{"b":1}}', (f) => f.stringMap('a'), 'Invalid thing: a.b must be a string, but is the number 1'],
    ['{"a":[]}', (f) => f.object('a'), 'Invalid thing: a must be an object, but is a list'],
    ['{"a":{}}', (f) => f.strings('a'), 'Invalid thing: a must be a list, but is an object'],
    ['{"a":"yes"}', (f) => f.boolean('a'), 'Invalid thing: a must be a boolean, but is a string'],
  ])('%s is refused by name', (json, read, message) => {
    expect(() => read(of(json))).toThrow(
      expect.objectContaining({ status: 400, message: expect.stringContaining(message) }),
    )
  })

  it('are own members only', () => {
    expect(of('{}').has('constructor')).toBe(false)
    expect(() => of('{}').string('toString')).toThrow('toString is missing')
  })

  it('belong to an object', () => {
    for (const json of ['[]', 'null', '1', '"a"']) expect(() => of(json)).toThrow('must be a JSON object')
  })
})
