import { expect, it } from 'vitest'
import { VirtualClock } from '../../testing/virtual-clock.ts'
import { RateLimit } from './rate-limit.ts'

it('lets through so many files a second, over all who ask', async () => {
  const clock = new VirtualClock()
  const limit = new RateLimit(clock, 1_000)
  let files = 0
  const takers = Array.from({ length: 40 }, async () => {
    await limit.take(500)
    files += 500
  })
  for (let second = 1; second <= 10; second++) {
    await clock.advance(1_000)
    expect(files).toBeGreaterThanOrEqual(second * 1_000)
    expect(files).toBeLessThanOrEqual(second * 1_000 + 1_000)
  }
  await clock.advance(20_000)
  await Promise.all(takers)
  expect(files).toBe(20_000)
})

it('has lost nothing to those who gave up while they waited', async () => {
  const clock = new VirtualClock()
  const limit = new RateLimit(clock, 100)
  await limit.take(100)
  const impatient = new AbortController()
  const given = Array.from({ length: 5 }, () => limit.take(1_000, impatient.signal))
  let through = false
  const patient = limit.take(1).then(() => {
    through = true
  })
  impatient.abort(new Error('others wait'))
  for (const each of given) await expect(each).rejects.toThrow('others wait')
  await clock.advance(999)
  expect(through).toBe(false)
  await clock.advance(1)
  await patient
})

it('gives up when it is told to', async () => {
  const limit = new RateLimit(new VirtualClock(), 1)
  await limit.take(10)
  await expect(limit.take(1, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
})
