import { expect, it } from 'vitest'
import { addTallies, emptyTally } from '../tally.ts'
import { Split } from './split.ts'

const portion = {
  counts: { data: { deleted: 10, kept: 1 } },
  bytes: { data: { deleted: 1_000, kept: 5 } },
  rules: { rule: 1 },
}

/** Three portions, with a new attempt before each. */
function sum(said: ConstructorParameters<typeof Split>[0]) {
  let checkpoint: unknown
  let tally = emptyTally
  for (let attempt = 0; attempt < 3; attempt++) {
    const split = new Split(said, checkpoint)
    tally = addTallies(tally, split.apply(portion))
    checkpoint = JSON.parse(JSON.stringify(split.within({})))
  }
  return tally
}

it('counts as many as deleted as was said, over all attempts', () => {
  expect(sum({ deleted: 17, bytes: 900 })).toEqual({
    counts: { data: { deleted: 17, absent: 13, kept: 3 } },
    bytes: { data: { deleted: 900, absent: 2_100, kept: 15 } },
    containers: {},
    rules: { rule: 3 },
  })
  expect(sum({ deleted: 17, bytes: undefined }).bytes).toEqual({ data: { deleted: 3_000, kept: 15 } })
  expect(sum({ deleted: 100, bytes: 9_000 })).toEqual(sum(undefined))
  expect(sum({ deleted: 0, bytes: 0 }).counts).toEqual({ data: { absent: 30, kept: 3 } })
})
