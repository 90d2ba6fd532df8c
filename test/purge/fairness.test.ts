import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { PurgeEngine } from '../../src/purge/engine.ts'
import type { IcebergPurger } from '../../src/purge/purger.ts'
import { SqlAsyncPurger } from '../../src/purge/purgers/sql-async/sql-async-purger.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

const logger = pino({ level: 'silent' })

describe.each(dialects)('fairness on %s', (dialect) => {
  it('serves the warehouses in turn: one with many purges does not keep the others waiting', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const served: string[] = []
    const purger: IcebergPurger = {
      name: 'noting',
      waits: false,
      purge: async (purge) => {
        served.push(purge.warehouse)
        return { kind: 'done' }
      },
    }
    for (let number = 0; number < 30; number++) await fixture.record('big', `b${number}`)
    for (let number = 0; number < 3; number++) await fixture.record('small', `s${number}`)
    const engine = new PurgeEngine({
      database: fixture.database,
      ledger: fixture.ledger,
      logger,
      owner: 'test:1',
      workers: 2,
      pollInterval: 50,
      warehouses: new Map(
        ['big', 'small', 'idle'].map((name) => [name, { purger, io: fixture.io, leaseTime: 60_000 }]),
      ),
    })
    await engine.start()
    while (served.length < 33) await sleep(10)
    await engine.stop()
    expect(served.slice(0, 8).filter((name) => name === 'small')).toHaveLength(3)
  })

  it('has a purge that takes long let the others go first, and then go on where it was', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('huge', { snapshots: 6, filesPerSnapshot: 70 })
    const ended: string[] = []
    let deleted = 0
    const io = forwardFileIO(fixture.io, {
      capabilities: { ...fixture.io.capabilities, deleteBatchSize: 100 },
      deleteFiles: async (locations, options) => {
        if (locations[0]!.includes('/huge/')) {
          await sleep(200)
          deleted += locations.length
        }
        return await fixture.io.deleteFiles(locations, options)
      },
    })
    const purger: IcebergPurger = {
      name: 'noting',
      waits: false,
      purge: async (purge, run) => {
        const result = await new SqlAsyncPurger().purge(purge, run)
        ended.push(purge.name)
        return result
      },
    }
    const engine = new PurgeEngine({
      database: fixture.database,
      ledger: fixture.ledger,
      logger,
      owner: 'test:1',
      workers: 1,
      pollInterval: 20,
      timeSlice: 150,
      warehouses: new Map([['main', { purger, io, leaseTime: 60_000, deleteConcurrency: 1 }]]),
    })
    const huge = await fixture.drop('huge')
    await engine.start()
    while (deleted === 0) await sleep(5)
    await fixture.table('small')
    const small = await fixture.drop('small')
    engine.notify()
    while ((await fixture.ledger.get(huge))?.state !== 'succeeded') await sleep(10)
    await engine.stop()
    // The small one may have to let the huge one go on, too, on a machine that is slow enough.
    expect([ended[0], ended.at(-1)]).toEqual(['small', 'huge'])
    expect(await fixture.ledger.get(small)).toMatchObject({ state: 'succeeded' })
    // Yielding costs no attempt, and nothing is done twice but what was in flight.
    expect(await fixture.ledger.get(huge)).toMatchObject({ attempts: 1 })
    expect(deleted).toBeLessThan(432 + 300)
    expect(await fixture.files()).toEqual([])
  })
})
