import { describe, expect, it } from 'vitest'
import type { IcebergPurger, PurgeRun } from '../../src/purge/purger.ts'
import { LedgerRuns } from '../../src/testing/ledger-runs.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { memoryRuns, type RunMaker } from '../../src/testing/purge-run.ts'
import { writeTable } from '../../src/testing/table-writer/table.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

/** Milliseconds that the purger waits by the clock of its run. */
const pause = 60_000

async function patiently(run: PurgeRun): Promise<number> {
  const began = run.clock.now()
  await run.clock.sleep(pause, run.signal)
  return run.clock.now() - began
}

async function advanceUntil(clock: VirtualClock, isOver: () => boolean): Promise<void> {
  while (!isOver()) await clock.advance(pause / 20)
}

describe('the clock of a run', () => {
  it('is that of the attempt', async () => {
    await using fixture = await PurgeFixture.open()
    await fixture.table('t')
    const id = await fixture.drop('t')
    const clock = new VirtualClock()
    let waited: number | undefined
    const purger: IcebergPurger = {
      name: 'patient',
      waits: false,
      purge: async (_purge, run) => {
        waited = await patiently(run)
        return { kind: 'done' }
      },
    }
    const end = fixture.run(id, { purger, clock, leaseTime: 24 * 3_600_000 })
    await advanceUntil(clock, () => waited !== undefined)
    expect(await end).toMatchObject({ state: 'succeeded' })
    expect(waited).toBeGreaterThanOrEqual(pause)
  })

  it('can be given to runs of tests, with and without a ledger', async () => {
    await using fixture = await PurgeFixture.open()
    const { purge } = await writeTable(fixture.io, fixture.location('t'))
    await using runs = await LedgerRuns.open()
    for (const maker of [runs, memoryRuns] as RunMaker[]) {
      const clock = new VirtualClock()
      const run = await maker.make(purge, fixture.io, { clock })
      let waited: number | undefined
      void patiently(run).then((time) => {
        waited = time
      })
      await advanceUntil(clock, () => waited !== undefined)
      expect(waited).toBeGreaterThanOrEqual(pause)
    }
  })
})
