import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { KeyedQueue } from './keyed-queue.ts'

describe('KeyedQueue', () => {
  it('runs work of one key in order, of different keys at once', async () => {
    const queue = new KeyedQueue()
    const log: string[] = []
    const work = (name: string) => async () => {
      log.push(`+${name}`)
      await turn()
      log.push(`-${name}`)
    }
    await Promise.all([
      queue.run(['a'], work('1')),
      queue.run(['a'], work('2')),
      queue.run(['b'], work('3')),
      queue.run(['b', 'a', 'b'], work('4')),
      queue.run(['c'], work('5')),
      queue.run(['a'], work('6')),
    ])
    expect(log).toEqual(['+1', '+3', '+5', '-1', '+2', '-3', '-5', '-2', '+4', '-4', '+6', '-6'])
  })

  it('goes on after work that fails', async () => {
    const queue = new KeyedQueue()
    const results = await Promise.allSettled([
      queue.run(['a'], () => Promise.reject(new Error('no'))),
      queue.run(['a'], async () => 'yes'),
    ])
    expect(results).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: 'yes' }])
  })
})
