import { expect, it } from 'vitest'
import { mapBounded } from './concurrency.ts'

it('keeps to its limit, and the order of the results', async () => {
  let running = 0
  let most = 0
  const results = await mapBounded([5, 1, 4, 2, 3, 0], 3, async (value, index) => {
    most = Math.max(most, ++running)
    for (let turn = 0; turn < value; turn++) await Promise.resolve()
    running--
    return `${index}:${value}`
  })
  expect(results).toEqual(['0:5', '1:1', '2:4', '3:2', '4:3', '5:0'])
  expect(most).toBe(3)
  expect(await mapBounded([], 3, async () => 1)).toEqual([])
})

it('begins nothing after an error, and throws it when all that had begun has ended', async () => {
  const begun: number[] = []
  const ended: number[] = []
  const work = async (value: number) => {
    begun.push(value)
    if (value === 1) throw new Error('one')
    await new Promise((resolve) => setImmediate(resolve))
    ended.push(value)
  }
  await expect(mapBounded([0, 1, 2, 3, 4], 2, work)).rejects.toThrow('one')
  expect(begun).toEqual([0, 1])
  expect(ended).toEqual([0])
})
