import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonicalJson } from './canonical-json.ts'

it('is the same whatever the order of the members, and JSON', () => {
  const value = { b: [1, null, true], a: { é: 'ü\n', Z: -5, a: {} }, undefinedMember: undefined }
  expect(canonicalJson(value)).toBe('{"a":{"Z":-5,"a":{},"é":"ü\\n"},"b":[1,null,true]}')
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.maxSafeInteger(), fc.boolean())),
      (members) => {
        const backwards = Object.fromEntries(Object.entries(members).toReversed())
        expect(canonicalJson(backwards)).toBe(canonicalJson(members))
        expect(JSON.parse(canonicalJson(members))).toEqual(JSON.parse(JSON.stringify(members)))
      },
    ),
  )
})

it.each([1.5, Number.NaN, 2 ** 60, undefined])('refuses %s', (value) => {
  expect(() => canonicalJson([value])).toThrow(TypeError)
})
