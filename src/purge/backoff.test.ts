import { expect, it } from 'vitest'
import { defaultBackoff, retryDelay } from './backoff.ts'

it('waits between 0 and min(max, base × 2^attempts)', () => {
  const longest = [1, 2, 3, 6, 7, 50].map((attempts) => retryDelay(defaultBackoff, attempts, 1))
  expect(longest).toEqual([60_000, 120_000, 240_000, 1_920_000, 3_600_000, 3_600_000])
  expect(retryDelay(defaultBackoff, 1, 0.5)).toBe(defaultBackoff.base)
  expect(retryDelay(defaultBackoff, 1, 0)).toBe(0)
})
