import { expect, it } from 'vitest'
import { progressLine } from './purge-progress.ts'

const huge = { files: 3_712_345, rate: 12_345 }

it('a line has all it knows where there is room', () => {
  expect(progressLine(huge, 10_000_000)).toBe(
    `${'█'.repeat(8)}${'░'.repeat(16)} 37 %  3,712,345 of 10,000,000 files  12,345 files/s  8 min 29 s left`,
  )
  expect(progressLine({ files: 7, rate: undefined }, undefined)).toBe('7 files')
})

it('a line never is longer than there is room', () => {
  const erasures = [
    huge,
    { files: 0, rate: undefined },
    { files: 123_456_789, rate: 0.0001 },
    { files: 10_000_000, rate: 1 },
  ]
  for (const erasure of erasures) {
    for (const expected of [undefined, 12_345, 10_000_000, 1_000_000_000]) {
      for (let columns = 0; columns <= 140; columns++) {
        const line = progressLine(erasure, expected, columns)
        expect(line.length, `${columns}: ${line}`).toBeLessThanOrEqual(columns)
      }
    }
  }
})

it('the bar is shortened first, then left out; then the rate, then the time', () => {
  const lines = [100, 80, 71, 68, 61, 50, 36, 20].map((columns) => progressLine(huge, 10_000_000, columns))
  expect(lines).toEqual([
    `${'█'.repeat(8)}${'░'.repeat(16)} 37 %  3,712,345 of 10,000,000 files  12,345 files/s  8 min 29 s left`,
    `${'█'.repeat(4)}${'░'.repeat(7)} 37 %  3,712,345 of 10,000,000 files  12,345 files/s  8 min 29 s left`,
    '37 %  3,712,345 of 10,000,000 files  12,345 files/s  8 min 29 s left',
    '37 %  3,712,345 of 10,000,000 files  12,345 files/s  8 min 29 s left',
    `${'█'.repeat(2)}${'░'.repeat(6)} 37 %  3,712,345 of 10,000,000 files  8 min 29 s left`,
    `${'█'.repeat(5)}${'░'.repeat(9)} 37 %  3,712,345 of 10,000,000 files`,
    '37 %  3,712,345 of 10,000,000 files',
    '37 %  3,712,345 of 1',
  ])
})
