import { expect, it } from 'vitest'
import { RefusedBatches } from './refused-batches.ts'

it('remembers a bucket for ten minutes', () => {
  let now = 1_000
  const refused = new RefusedBatches(() => now)
  expect(refused.has('a')).toBe(false)
  refused.add('a')
  now += 599_999
  expect([refused.has('a'), refused.has('b')]).toEqual([true, false])
  now += 1
  expect(refused.has('a')).toBe(false)
})
