import { describe, expect, it } from 'vitest'
import { Patience, TimeSlice } from './time-slice.ts'

describe('the time slice', () => {
  it('of a purge that erases at once is the usual one', () => {
    const slice = new TimeSlice('a', 1_000, 2_000, new Patience())
    slice.erased(1_010)
    expect([slice.isOver(3_009), slice.isOver(3_010)]).toEqual([false, true])
    expect([slice.left(1_010), slice.left(3_009), slice.left(9_000)]).toEqual([2_000, 1, 0])
  })

  it('is as long as the beginning took', () => {
    const slice = new TimeSlice('a', 0, 2_000, new Patience())
    slice.erased(1_900)
    slice.erased(5_000)
    expect([slice.isOver(3_899), slice.isOver(3_900)]).toEqual([false, true])
    const slow = new TimeSlice('b', 0, 2_000, new Patience())
    slow.erased(60_000)
    expect([slow.isOver(119_999), slow.isOver(120_000)]).toEqual([false, true])
  })

  it('doubles for a purge that had to go before it erased anything, until it has', () => {
    const patience = new Patience()
    const times = Array.from({ length: 18 }, () => {
      const slice = new TimeSlice('a', 0, 2_000, patience)
      let now = 0
      while (!slice.isOver(now)) now += 1_000
      slice.end()
      return now / 1_000
    })
    expect(times).toEqual(Array.from({ length: 18 }, (_, index) => 2 ** (index + 1)))
    const other = new TimeSlice('b', 0, 2_000, patience)
    expect(other.isOver(2_000)).toBe(true)
    const slice = new TimeSlice('a', 0, 2_000, patience)
    slice.erased(10)
    slice.end()
    expect(new TimeSlice('a', 0, 2_000, patience).isOver(2_000)).toBe(true)
  })

  it('lets every purge end, however long it reads before its first file, within three times that', () => {
    for (const reading of [1_000, 601_000, 8 * 3_600_000]) {
      const patience = new Patience()
      let spent = 0
      for (let now = 0; now < reading; spent += now) {
        const slice = new TimeSlice('a', 0, 2_000, patience)
        now = 0
        while (now < reading && !slice.isOver(now)) now += 1_000
        slice.end()
        if (spent > 100 * reading) break
      }
      expect(spent).toBeLessThan(3 * reading)
    }
  })
})
