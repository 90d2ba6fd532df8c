import { expect, it } from 'vitest'
import { closeReach, finished } from '../../src/purge/elsewhere/close-reach.ts'
import type { IcebergPurger, OutcomeCounts } from '../../src/purge/purger.ts'
import { countOf } from '../../src/purge/tally.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

/** Hands everything over to an engine that says the same, and more, whenever it is asked. */
function handingOff(says: readonly number[]): IcebergPurger {
  const answers = [...says]
  return {
    name: 'elsewhere',
    waits: false,
    purge: async () => ({ kind: 'handed_off', reference: 'job-1' }),
    inspect: async (purge, _reference, run) => {
      const deleted = answers.shift()
      if (deleted !== undefined) return { state: 'running', counts: { data: { deleted } } }
      await run.io.deleteFiles(await dataFilesOf(run.io, purge.locations[0]!.location))
      return finished(await closeReach(purge, run))
    },
  }
}

async function dataFilesOf(io: PurgeFixture['io'], location: string): Promise<string[]> {
  const files = await Array.fromAsync(io.list(`${location}/data`))
  return files.map((file) => file.location)
}

it('count a file once, when it is known to be gone, however often an engine says that it has erased it', async () => {
  await using fixture = await PurgeFixture.open()
  const { files } = await fixture.table('t')
  const id = await fixture.drop('t')
  const purger = handingOff([1, 2, 2])
  const counted: OutcomeCounts[] = []
  const observer = {
    progressed: (counts: OutcomeCounts) => void counted.push(counts),
    finished: () => undefined,
  }
  const run = async () => await fixture.run(id, { purger, observer })
  const shown = async () => countOf((await fixture.ledger.get(id))!.counts, 'deleted')
  await run()
  for (const deleted of [1, 2, 2]) {
    expect(await run()).toMatchObject({ state: 'handed_off' })
    expect(await shown()).toBe(deleted)
  }
  expect(counted).toEqual([])
  expect(await run()).toMatchObject({ state: 'succeeded' })
  const all = Object.values(files).flat().length
  expect(counted.reduce((sum, counts) => sum + countOf(counts, 'deleted'), 0)).toBe(all)
  expect(await shown()).toBe(all)
})
