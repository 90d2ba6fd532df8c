import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'

describe('units', () => {
  it('round trip', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 48 }), (value) => {
        expect(parseDuration(formatDuration(value))).toBe(value)
        expect(parseSize(formatSize(value))).toBe(value)
      }),
    )
  })

  it.each(['', '5', 's', '5 s', '-5s', '5x', '1e3s', '5toString', '99999999999999999d'])(
    'refuse %j',
    (text) => {
      expect(parseDuration(text)).toBeUndefined()
      expect(parseSize(text)).toBeUndefined()
    },
  )

  it('keep fractions', () => {
    expect(parseDuration('1.5h')).toBe(5_400_000)
    expect(parseSize('0.5KiB')).toBe(512)
  })
})
