import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { type EngineOptions, PurgeEngine } from '../../src/purge/engine.ts'
import type { IcebergPurger } from '../../src/purge/purger.ts'
import { SqlAsyncPurger } from '../../src/purge/purgers/sql-async/sql-async-purger.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

const logger = pino({ level: 'silent' })

function engineOf(
  { database, ledger }: PurgeFixture,
  options: Partial<EngineOptions> & Pick<EngineOptions, 'warehouses'>,
): PurgeEngine {
  return new PurgeEngine({ database, ledger, logger, owner: 'test:1', ...options })
}

describe.each(dialects)('fairness on %s', (dialect) => {
  it('18. one tenant starves all: the warehouses are served in turn, and one with many purges does not keep the others waiting', async () => {
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
    const engine = engineOf(fixture, {
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

  it('18. one purge starves all: one that takes long lets the others go first, and then goes on where it was', async () => {
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
    const engine = engineOf(fixture, {
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

  const waiting = [
    'is new',
    'was retained',
    'was abandoned',
    'was handed off',
    'may have one worker',
  ] as const
  it.each(waiting)('18. one purge starves all: it lets one go first that %s', async (kind) => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('huge', { snapshots: 6, filesPerSnapshot: 70 })
    const small = await recorded(fixture, kind)
    const io = forwardFileIO(fixture.io, {
      capabilities: { ...fixture.io.capabilities, deleteBatchSize: 10 },
      deleteFiles: async (locations, options) => {
        await sleep(200)
        return await fixture.io.deleteFiles(locations, options)
      },
    })
    const ended: string[] = []
    const purger: IcebergPurger = {
      name: 'noting',
      waits: false,
      purge: async (purge, run) => {
        if (purge.name !== 'small') return await new SqlAsyncPurger().purge(purge, run)
        ended.push(purge.name)
        return { kind: 'done' }
      },
      inspect: async (purge) => {
        ended.push(purge.name)
        return { state: 'running', askAfter: 60_000 }
      },
    }
    const warehouse = { purger, io, leaseTime: 60_000, deleteConcurrency: 1 }
    const isLimited = kind === 'may have one worker'
    const engine = engineOf(fixture, {
      workers: isLimited ? 2 : 1,
      // Nothing but the end of the time slice has it look again.
      pollInterval: 3_600_000,
      timeSlice: 500,
      warehouses: new Map([
        ['main', isLimited ? { ...warehouse, workers: 1 } : { ...warehouse, workers: 2 }],
      ]),
    })
    const huge = await fixture.drop('huge')
    await engine.start()
    while ((await fixture.ledger.get(huge))?.state !== 'running') await sleep(5)
    await dueNow(fixture, small, kind)
    engine.notify()
    while (ended.length === 0) await sleep(5)
    expect(await fixture.ledger.get(huge)).not.toMatchObject({ state: 'succeeded' })
    await engine.stop()
  })

  it('18. purges that are asked about often starve all: others are worked on in between', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    let inspections = 0
    let atWork = 0
    const purger: IcebergPurger = {
      name: 'elsewhere',
      waits: false,
      purge: async (purge) => {
        if (purge.name !== 'new') return { kind: 'handed_off', reference: 'job', askAfter: 50 }
        atWork = inspections
        return { kind: 'done' }
      },
      inspect: async () => {
        inspections++
        await sleep(20)
        return { state: 'running', askAfter: 50 }
      },
    }
    for (let number = 0; number < 12; number++) await fixture.record('main', `h${number}`)
    const engine = engineOf(fixture, {
      workers: 1,
      pollInterval: 20,
      warehouses: new Map([['main', { purger, io: fixture.io, leaseTime: 60_000 }]]),
    })
    await engine.start()
    while (inspections < 12) await sleep(5)
    await fixture.record('main', 'new')
    const before = inspections
    while (atWork === 0) await sleep(5)
    await engine.stop()
    expect(atWork - before).toBeLessThan(5)
  })

  it('does not have a purge let one of a lower priority go first', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const ended: string[] = []
    const purger: IcebergPurger = {
      name: 'noting',
      waits: false,
      purge: async (purge, run) => {
        if (purge.name === 'important') await sleep(600)
        run.signal.throwIfAborted()
        ended.push(purge.name)
        return { kind: 'done' }
      },
    }
    await fixture.record('main', 'important', { priority: 1 })
    await fixture.record('other', 'ordinary')
    const warehouse = { purger, io: fixture.io, leaseTime: 60_000 }
    const engine = engineOf(fixture, {
      workers: 1,
      pollInterval: 20,
      timeSlice: 50,
      warehouses: new Map(['other', 'main'].map((name) => [name, warehouse])),
    })
    await engine.start()
    while (ended.length < 2) await sleep(5)
    await engine.stop()
    expect(ended).toEqual(['important', 'ordinary'])
  })

  it('works on no more purges of a warehouse at a time than it may have workers', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const atWork = { limited: 0, free: 0 }
    const most = { limited: 0, free: 0 }
    let ended = 0
    const purger: IcebergPurger = {
      name: 'counting',
      waits: false,
      purge: async ({ warehouse }) => {
        const name = warehouse as keyof typeof atWork
        most[name] = Math.max(most[name], ++atWork[name])
        await sleep(100)
        atWork[name]--
        ended++
        return { kind: 'done' }
      },
    }
    for (let number = 0; number < 4; number++) {
      await fixture.record('limited', `l${number}`)
      await fixture.record('free', `f${number}`)
    }
    const warehouse = { purger, io: fixture.io, leaseTime: 60_000 }
    const engine = engineOf(fixture, {
      workers: 4,
      pollInterval: 20,
      warehouses: new Map([
        ['limited', { ...warehouse, workers: 1 }],
        ['free', { ...warehouse, workers: 4 }],
      ]),
    })
    await engine.start()
    while (ended < 8) await sleep(10)
    await engine.stop()
    expect(most.limited).toBe(1)
    expect(most.free).toBeGreaterThan(1)
  })

  it('looks for the purges of each warehouse at its own interval, and for all when it is told', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const ended: string[] = []
    const purger: IcebergPurger = {
      name: 'noting',
      waits: false,
      purge: async ({ warehouse }) => {
        ended.push(warehouse)
        return { kind: 'done' }
      },
    }
    const warehouse = { purger, io: fixture.io, leaseTime: 60_000 }
    const engine = engineOf(fixture, {
      warehouses: new Map([
        ['often', { ...warehouse, pollInterval: 20 }],
        ['seldom', { ...warehouse, pollInterval: 3_600_000 }],
      ]),
    })
    await engine.start()
    // The first look finds nothing.
    await sleep(50)
    await fixture.record('seldom', 's')
    await sleep(100)
    expect(ended).toEqual([])
    await fixture.record('often', 'o')
    // Who has ended an attempt looks for all.
    while (ended.length < 2) await sleep(5)
    expect(ended).toEqual(['often', 'seldom'])
    await engine.stop()
  })
})

type Waiting = 'is new' | 'was retained' | 'was abandoned' | 'was handed off' | 'may have one worker'

/** Where it is to wait in another state than that of a new purge, it does not come to be worked on before. */
async function recorded(fixture: PurgeFixture, kind: Waiting): Promise<string> {
  const id = await fixture.record('main', 'small', { retention: 3_600_000 })
  if (kind === 'was abandoned') await fixture.ledger.claim(id, 'dead:1', 3_600_000)
  return id
}

async function dueNow(fixture: PurgeFixture, id: string, kind: Waiting): Promise<void> {
  const change = {
    'is new': { state: 'pending' },
    'may have one worker': { state: 'pending' },
    'was retained': {},
    'was abandoned': { lease_expires_at: 1 },
    'was handed off': { state: 'handed_off', purger: 'noting', reference: 'job' },
  } as const
  await fixture.database.transaction(async (tx) => {
    const now = await fixture.database.now(tx)
    await tx
      .updateTable('purges')
      .set({ next_attempt_at: now, ...change[kind] })
      .where('id', '=', id)
      .execute()
  })
}
