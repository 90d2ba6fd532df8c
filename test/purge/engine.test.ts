import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { describe, expect, it, vi } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import type { PurgeState } from '../../src/database/schema/purges.ts'
import { type EngineWarehouse, PurgeEngine } from '../../src/purge/engine.ts'
import { type IcebergPurger, RetryablePurgeError, ThrottledPurgeError } from '../../src/purge/purger.ts'
import { SqlAsyncPurger } from '../../src/purge/purgers/sql-async/sql-async-purger.ts'
import { runAttempt } from '../../src/purge/run-attempt.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

function engineOf(
  fixture: PurgeFixture,
  purger: IcebergPurger,
  warehouse: Partial<EngineWarehouse> = {},
): PurgeEngine {
  return new PurgeEngine({
    database: fixture.database,
    ledger: fixture.ledger,
    logger: pino({ level: 'silent' }),
    owner: `test:${Math.random()}`,
    warehouses: new Map([
      ['main', { purger, io: fixture.io, leaseTime: 400, backoff: { base: 1, max: 20 }, ...warehouse }],
    ]),
    pollInterval: 30,
  })
}

async function until(fixture: PurgeFixture, id: string, state: PurgeState) {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const record = await fixture.ledger.get(id)
    if (record?.state === state) return record
    await sleep(10)
  }
  throw new Error(`Purge ${id} did not become ${state}: ${(await fixture.ledger.get(id))?.state}`)
}

describe.each(dialects)('the engine on %s', (dialect) => {
  it('finishes every purge exactly once, with two replicas over one ledger', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const neighbour = await fixture.table('neighbour')
    const runs = new Map<string, number>()
    const counting: IcebergPurger = {
      name: 'counting',
      waits: false,
      purge: async (purge, run) => {
        runs.set(purge.id, (runs.get(purge.id) ?? 0) + 1)
        return await new SqlAsyncPurger().purge(purge, run)
      },
    }
    const engines = [
      engineOf(fixture, counting, { leaseTime: 60_000 }),
      engineOf(fixture, counting, { leaseTime: 60_000 }),
    ]
    for (const engine of engines) await engine.start()
    const ids: string[] = []
    for (let number = 0; number < 12; number++) {
      await fixture.table(`t${number}`)
      ids.push(await fixture.drop(`t${number}`))
      for (const engine of engines) engine.notify()
    }
    for (const id of ids) await until(fixture, id, 'succeeded')
    expect([...runs.values()]).toEqual(ids.map(() => 1))
    expect(await fixture.files()).toEqual(Object.values(neighbour.files).flat().toSorted())
    for (const engine of engines) await engine.stop()
  })

  it('tries again what may pass, and gives up after the attempts that it has', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('flaky')
    await fixture.table('hopeless')
    let faults = 3
    const purger: IcebergPurger = {
      name: 'flaky',
      waits: false,
      purge: async (purge, run) => {
        if (purge.name === 'hopeless' || faults-- > 0) throw new RetryablePurgeError('the store is down')
        return await new SqlAsyncPurger().purge(purge, run)
      },
    }
    const engine = engineOf(fixture, purger)
    await engine.start()
    const flaky = await fixture.drop('flaky')
    const hopeless = await fixture.drop('hopeless')
    expect(await until(fixture, flaky, 'succeeded')).toMatchObject({ attempts: 4 })
    expect(await until(fixture, hopeless, 'failed')).toMatchObject({
      attempts: 5,
      lastError: 'the store is down',
    })
    await engine.stop()
  })

  it('waits longer after each attempt that the store throttles, which cost none, until one erases something', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    let error: Error | undefined = new ThrottledPurgeError('SlowDown')
    const purger: IcebergPurger = {
      name: 'throttled',
      waits: false,
      purge: async (purge, run) => {
        if (error) throw error
        return await new SqlAsyncPurger().purge(purge, run)
      },
    }
    // The longest of the random waits.
    const random = vi.spyOn(Math, 'random').mockReturnValue(1)
    const wait = async () => {
      await fixture.run(id, { purger, backoff: { base: 1_000, max: 60_000 } })
      const { nextAttemptAt, updatedAt } = (await fixture.ledger.get(id))!
      return nextAttemptAt - updatedAt
    }
    expect([await wait(), await wait(), await wait()]).toEqual([2_000, 4_000, 8_000])
    expect(await fixture.ledger.get(id)).toMatchObject({
      state: 'pending',
      attempts: 0,
      lastError: 'SlowDown',
    })
    error = new RetryablePurgeError('the store is down')
    expect([await wait(), await wait()]).toEqual([16_000, 32_000])
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'pending', attempts: 2 })
    error = new ThrottledPurgeError('SlowDown', { retryAfter: 90_000 })
    expect(await wait()).toBe(90_000)
    random.mockRestore()
    error = undefined
    expect(await fixture.run(id, { purger })).toMatchObject({ state: 'succeeded' })
  })

  it('takes up the purge of a worker that died, where that one had come to', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const dead = (await fixture.ledger.claim(id, 'dead:1', 50))!
    const power = new AbortController()
    let batches = 0
    // From the second batch on the process is as good as gone: nothing more is deleted or written.
    const io = forwardFileIO(fixture.io, {
      deleteFiles: async (locations, options) => {
        if (batches++ > 0)
          return await new Promise((_resolve, reject) => {
            power.signal.addEventListener('abort', () => reject(power.signal.reason as Error))
          })
        return await fixture.io.deleteFiles(locations, options)
      },
    })
    const database = Object.create(fixture.database) as Database
    database.transaction = async (work) => {
      if (batches > 1) throw new Error('no power')
      return await fixture.database.transaction(work)
    }
    const cut = runAttempt(dead, {
      database,
      ledger: fixture.ledger,
      purger: new SqlAsyncPurger(),
      io,
      logger: pino({ level: 'silent' }),
      owner: 'dead:1',
      leaseTime: 50,
    })
    // It may end before it is looked at.
    const ended = expect(cut).rejects.toThrow()
    const engine = engineOf(fixture, new SqlAsyncPurger())
    await engine.start()
    expect(await until(fixture, id, 'succeeded')).toMatchObject({ attempts: 2 })
    expect(await fixture.files()).toEqual([])
    await engine.stop()
    power.abort(new Error('the power is cut'))
    await ended
  })

  it('10. crashes are not counted as attempts: a purge that kills its worker is taken up for ever', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    for (let attempt = 0; attempt < 5; attempt++) {
      const turns = [{ warehouse: 'main', leaseTime: 0 }]
      const { leases } = await fixture.ledger.claimDue(turns, `dead:${attempt}`, 1)
      expect(leases).toMatchObject([{ attempt: attempt + 1 }])
      await sleep(5)
    }
    const turns = [{ warehouse: 'main', leaseTime: 60_000 }]
    expect(await fixture.ledger.claimDue(turns, 'next', 1)).toEqual({ leases: [], settled: 1 })
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'failed', attempts: 5 })
  })

  it('begins with small batches after a fruitless attempt, so that one is saved before the worker dies again', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { files } = await fixture.table('t', { snapshots: 1, filesPerSnapshot: 2_400 })
    const id = await fixture.drop('t')
    const lease = async (leaseTime: number) => {
      const { leases } = await fixture.ledger.claimDue([{ warehouse: 'main', leaseTime }], 'dead:1', 1)
      return leases[0]!
    }
    await lease(0)
    await sleep(5)
    const sizes: number[] = []
    const stopping = new AbortController()
    let answers = 0
    // As slow as a store can be: the first batch is answered, none after it.
    const io = forwardFileIO(fixture.io, {
      deleteFiles: async (locations, options) => {
        sizes.push(locations.length)
        if (answers++ === 0) return await fixture.io.deleteFiles(locations, options)
        return await new Promise((_resolve, reject) => {
          stopping.signal.addEventListener('abort', () => reject(stopping.signal.reason as Error))
        })
      },
    })
    const second = runAttempt(await lease(60_000), {
      database: fixture.database,
      ledger: fixture.ledger,
      purger: new SqlAsyncPurger(),
      io,
      logger: pino({ level: 'silent' }),
      owner: 'dead:1',
      signal: stopping.signal,
      deleteConcurrency: 1,
    })
    await vi.waitFor(async () => {
      expect(await fixture.ledger.get(id)).toMatchObject({ counts: { data: { deleted: 50 } } })
      // What was begun before it was saved is small, too.
      expect(sizes).toEqual([50, 50])
    })
    stopping.abort(new Error('the power is cut'))
    await second
    const engine = engineOf(fixture, new SqlAsyncPurger(), { leaseTime: 60_000 })
    await engine.start()
    const { counts } = await until(fixture, id, 'succeeded')
    expect(counts.data).toEqual({ deleted: files.data.length })
    await engine.stop()
  })

  it('hands a purge back when it stops, and that attempt does not count', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    let begun = () => {}
    const working = new Promise<void>((resolve) => {
      begun = resolve
    })
    const slow: IcebergPurger = {
      name: 'slow',
      waits: false,
      purge: async (_purge, run) => {
        begun()
        await new Promise((resolve) => run.signal.addEventListener('abort', resolve))
        throw run.signal.reason as Error
      },
    }
    const first = engineOf(fixture, slow, { leaseTime: 60_000 })
    await first.start()
    await working
    await first.stop()
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
    const second = engineOf(fixture, new SqlAsyncPurger())
    await second.start()
    expect(await until(fixture, id, 'succeeded')).toMatchObject({ attempts: 1 })
    await second.stop()
  })

  it('finishes the batches in flight when it stops, and asks for none of them again', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { files } = await fixture.table('t', { snapshots: 1, filesPerSnapshot: 2_400 })
    const id = await fixture.drop('t')
    const asked: string[] = []
    let batches = 0
    const underWay = Promise.withResolvers<void>()
    const io = forwardFileIO(fixture.io, {
      deleteFiles: async (locations, options = {}) => {
        asked.push(...locations)
        if (++batches === 2) underWay.resolve()
        await sleep(300)
        options.signal?.throwIfAborted()
        return await fixture.io.deleteFiles(locations, options)
      },
    })
    const warehouse = { io, leaseTime: 60_000, deleteConcurrency: 2 }
    const first = engineOf(fixture, new SqlAsyncPurger(), warehouse)
    await first.start()
    await underWay.promise
    await first.stop()
    expect(await fixture.ledger.get(id)).toMatchObject({
      state: 'pending',
      attempts: 0,
      counts: { data: { deleted: 2_000 } },
    })
    const second = engineOf(fixture, new SqlAsyncPurger(), warehouse)
    await second.start()
    const { counts } = await until(fixture, id, 'succeeded')
    await second.stop()
    expect(counts.data).toEqual({ deleted: files.data.length })
    expect(new Set(asked).size).toBe(asked.length)
  })

  it('18. a purge longer than its lease is picked up a second time: the lease is renewed while it works', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const slow: IcebergPurger = {
      name: 'slow',
      waits: false,
      purge: async (purge, run) => {
        await sleep(1_500)
        return await new SqlAsyncPurger().purge(purge, run)
      },
    }
    const engines = [engineOf(fixture, slow), engineOf(fixture, slow)]
    for (const engine of engines) await engine.start()
    expect(await until(fixture, id, 'succeeded')).toMatchObject({ attempts: 1 })
    for (const engine of engines) await engine.stop()
  })
})
