import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJsonObject, JsonError, parseJson, printJson } from './exact-json.ts'

const max = 2n ** 63n - 1n
const min = -(2n ** 63n)

describe('integers', () => {
  it.each([
    ['0', 0],
    ['9007199254740991', 2 ** 53 - 1],
    ['-9007199254740991', -(2 ** 53 - 1)],
    ['9007199254740992', 2n ** 53n],
    ['-9007199254740992', -(2n ** 53n)],
    ['9007199254740993', 2n ** 53n + 1n],
    ['9223372036854775807', max],
    ['-9223372036854775808', min],
    ['18446744073709551616', 2n ** 64n],
  ])('%s is parsed exactly and printed as it was', (text, value) => {
    expect(parseJson(text)).toBe(value)
    expect(printJson(value)).toBe(text)
    expect(printJson(parseJson(`{"a":[${text}]}`))).toBe(`{"a":[${text}]}`)
  })

  it('with a fraction or an exponent are numbers, however large', () => {
    expect(parseJson('[1.0, 1e3, 1e25, -0.0]')).toEqual([1, 1000, 1e25, -0])
  })
})

/** Everything that JSON.parse reads as this module does: no integers beyond the safe ones. */
const exactInJson = fc
  .jsonValue({ maxDepth: 5, stringUnit: 'binary' })
  .filter((value) => !/(^|[[:,\s])-?\d{16,}/.test(JSON.stringify(value)))

const withBigints = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, max, min, 2n ** 53n, -(2n ** 53n)),
    fc.integer(),
    fc.bigInt({ min: 2n ** 53n, max }),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value

describe('any value', () => {
  it('is parsed as JSON.parse does where that is exact, with white space or without', () => {
    fc.assert(
      fc.property(exactInJson, fc.constantFrom(undefined, 2, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space)
        expect(parseJson(text)).toEqual(JSON.parse(text))
        expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text))
      }),
    )
  })

  it('comes back from its own text, 64-bit integers too', () => {
    fc.assert(
      fc.property(withBigints, (value) => {
        expect(parseJson(printJson(value))).toEqual(value)
      }),
    )
  })

  it('is refused exactly where JSON.parse refuses: any text', () => {
    const piece = fc.constantFrom(
      ...'{}[],:"\\0123456789-+.eEtrufalsn \n\u0000',
      'true',
      'null',
      '"a"',
      '\\u12',
      '1e5',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('')
        expect(accepts(() => parseJson(text))).toBe(accepts(() => JSON.parse(text)))
      }),
      { numRuns: 5000 },
    )
  })
})

function accepts(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch (error) {
    if (error instanceof JsonError || error instanceof SyntaxError) return false
    throw error
  }
}

describe('hostile text', () => {
  it('cannot overflow the stack', () => {
    for (const bomb of ['['.repeat(1e6), '{"a":'.repeat(1e6), '['.repeat(201) + ']'.repeat(201)]) {
      expect(() => parseJson(bomb)).toThrow('nested deeper than 200 levels')
    }
    expect(() => parseJson('['.repeat(200) + ']'.repeat(200))).not.toThrow()
    expect(() => parseJson(`[${'[],'.repeat(1000)}[]]`)).not.toThrow()
  })

  it('cannot reach a prototype: __proto__ is a member like others', () => {
    const value = parseJson('{"__proto__": {"admin": true}, "constructor": 1, "toString": 2}')
    if (!isJsonObject(value)) throw new Error('must be an object')
    expect(value.admin).toBeUndefined()
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'toString'])
    expect({}).not.toHaveProperty('admin')
    expect(printJson(value)).toBe('{"__proto__":{"admin":true},"constructor":1,"toString":2}')
  })

  it('may repeat a key: the last one counts', () => {
    expect(parseJson('{"a":1,"b":2,"a":3,"__proto__":1,"__proto__":2}')).toEqual(
      JSON.parse('{"a":3,"b":2,"__proto__":2}'),
    )
  })

  it('may hold lone surrogates, which are printed as escapes', () => {
    expect(parseJson('"\\ud800"')).toBe('\ud800')
    expect(printJson(parseJson('["\\udfff"]'))).toBe('["\\udfff"]')
  })

  it('cannot spend time on numbers without end', () => {
    expect(() => parseJson('9'.repeat(10_000_000))).toThrow('more than 400 digits')
    expect(() => parseJson(`0.${'9'.repeat(1000)}`)).toThrow('more than 400 digits')
    expect(parseJson('9'.repeat(400))).toBe(BigInt('9'.repeat(400)))
  })

  it.each([
    ['', 'JSON ends too early at position 0'],
    ['  ', 'JSON ends too early at position 2'],
    ['{"a":1', 'JSON ends too early at position 6'],
    ['"abc', 'JSON ends too early at position 4'],
    ['"abc\\', 'JSON ends too early at position 5'],
    ['[1,]', 'Unexpected character in JSON at position 3'],
    ['{"a":1,}', 'Unexpected character in JSON at position 7'],
    ['01', 'Unexpected character in JSON at position 1'],
    ['1 2', 'Unexpected character in JSON at position 2'],
    ['NaN', 'Unexpected character in JSON at position 0'],
    ['"a\nb"', 'Unexpected character in JSON at position 2'],
    ['"\\x"', 'Invalid escape in a JSON string at position 0'],
    ['{a:1}', 'Unexpected character in JSON at position 1'],
  ])('%j is refused with its position', (text, message) => {
    expect(() => parseJson(text)).toThrow(message)
  })

  it('must be UTF-8 when it comes as bytes', () => {
    expect(() => parseJson(Buffer.from([34, 0xff, 34]))).toThrow(JsonError)
    expect(parseJson(Buffer.from('\ufeff"ü"'))).toBe('ü')
  })
})

describe('printing', () => {
  it('leaves out members that are undefined', () => {
    expect(printJson({ a: undefined, b: 1n, c: [2n] })).toBe('{"b":1,"c":[2]}')
  })
})
