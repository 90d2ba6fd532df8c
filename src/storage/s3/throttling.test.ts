import { expect, it } from 'vitest'
import { retryAfterOf } from './throttling.ts'

const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT')

it.each([
  ['5', 5_000],
  [' 0 ', 0],
  ['999999999', 86_400_000],
  ['Wed, 21 Oct 2026 07:28:05 GMT', 5_000],
  ['Wed, 21 Oct 2026 07:27:00 GMT', 0],
  ['Wed, 21 Oct 2099 07:28:00 GMT', 86_400_000],
  ['', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['never GMT', undefined],
  ['2026', 2_026_000],
])('Retry-After: %j asks to wait for %j ms', (value, expected) => {
  expect(retryAfterOf({ 'retry-after': value }, now)).toBe(expected)
})

it('reads the date of Retry-After by the clock of the store', () => {
  const headers = { 'retry-after': 'Wed, 21 Oct 2026 09:00:05 GMT', date: 'Wed, 21 Oct 2026 09:00:00 GMT' }
  expect(retryAfterOf(headers, now)).toBe(5_000)
  expect(retryAfterOf({})).toBeUndefined()
})
