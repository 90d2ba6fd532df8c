import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../testing/virtual-clock.ts'
import { AdaptiveLimit } from './adaptive-limit.ts'

/** Begins work that ends when it is told to. */
function starter(limit: AdaptiveLimit) {
  const running: (() => void)[] = []
  const start = (signal?: AbortSignal) =>
    limit.run(() => new Promise<void>((resolve) => void running.push(resolve)), signal)
  return { running, start }
}

describe('the adaptive limit', () => {
  it('lets no more run than it allows, and the next when one ends', async () => {
    const limit = new AdaptiveLimit(new VirtualClock(), 2)
    const { running, start } = starter(limit)
    const all = [start(), start(), start(), start()]
    await turn()
    expect(running).toHaveLength(2)
    running[0]!()
    await turn()
    expect(running).toHaveLength(3)
    running[1]!()
    running[2]!()
    await turn()
    running[3]!()
    await Promise.all(all)
  })

  /** So much work at a time, until a thousand are done. */
  const work = async (limit: AdaptiveLimit, atOnce: number) => {
    for (let count = 0; count < 1_000; count += atOnce) {
      await Promise.all(Array.from({ length: atOnce }, () => limit.run(() => turn())))
    }
  }

  it('grows as far as it is used while all goes well, first fast, and after a complaint slowly', async () => {
    const clock = new VirtualClock()
    const limit = new AdaptiveLimit(clock, 64)
    await work(limit, 1)
    expect(limit.limit).toBe(4)
    await work(limit, 10)
    expect(limit.limit).toBe(11)
    await work(limit, 100)
    expect(limit.limit).toBe(64)
    limit.throttled()
    await Promise.all(Array.from({ length: 96 }, () => limit.run(() => turn())))
    expect(limit.limit).toBeGreaterThan(32)
    expect(limit.limit).toBeLessThan(37)
  })

  it('halves when the store complains, once for a burst', async () => {
    const clock = new VirtualClock()
    const limit = new AdaptiveLimit(clock, 64)
    await work(limit, 40)
    const grown = limit.limit
    expect(grown).toBeGreaterThanOrEqual(40)
    limit.throttled()
    limit.throttled()
    limit.throttled()
    expect(limit.limit).toBe(Math.floor(grown / 2))
    await clock.advance(2_000)
    for (let count = 0; count < 20; count++) {
      limit.throttled()
      await clock.advance(2_000)
    }
    expect(limit.limit).toBe(1)
  })

  it('rests as long as the store says', async () => {
    const clock = new VirtualClock()
    const limit = new AdaptiveLimit(clock, 4)
    limit.throttled(5_000)
    let ran = false
    const work = limit.run(async () => {
      ran = true
    })
    await clock.advance(4_900)
    expect(ran).toBe(false)
    await clock.advance(200)
    expect(ran).toBe(true)
    await work
  })

  it('lets go of those that give up while they wait, and keeps nobody waiting for them', async () => {
    const limit = new AdaptiveLimit(new VirtualClock(), 1)
    const { running, start } = starter(limit)
    const first = start()
    const leaving = new AbortController()
    const second = start(leaving.signal)
    const third = start()
    leaving.abort(new Error('enough'))
    await expect(second).rejects.toThrow('enough')
    running[0]!()
    await first
    await turn()
    expect(running).toHaveLength(2)
    running[1]!()
    await third
  })
})
