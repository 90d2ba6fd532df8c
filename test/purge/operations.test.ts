import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { eraseReach } from '../../src/purge/erase-reach.ts'
import { assign, begin } from '../../src/purge/ledger/leased.ts'
import { PurgeStateError } from '../../src/purge/ledger/operations.ts'
import type { IcebergPurger, Inspection, Purge, PurgeResult, PurgeRun } from '../../src/purge/purger.ts'
import { SynchronousPurger } from '../../src/purge/purgers/synchronous/synchronous-purger.ts'
import { undrop } from '../../src/server/undrop.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

const turns = [{ warehouse: 'main', leaseTime: 60_000 }]

async function claimable(fixture: PurgeFixture): Promise<string[]> {
  const { leases } = await fixture.ledger.claimDue(turns, 'test:2', 10)
  return leases.map(({ purge }) => purge.id)
}

async function restore(fixture: PurgeFixture, id: string, name?: string): Promise<void> {
  const warehouses = new Map([['main', { catalog: fixture.catalog }]])
  await undrop(
    { ledger: fixture.ledger, warehouses: warehouses as never },
    id,
    name === undefined ? undefined : { namespace: ['ns'], name },
  )
}

/** Erases what it has been given when it is asked about it; every job has another name. */
class Engine implements IcebergPurger {
  readonly name = 'engine'
  readonly waits = false
  readonly told: string[] = []
  /** It does not answer who wants it to stop. */
  isDeaf = false
  onInspect: () => Promise<void> = async () => undefined
  /** When it has heard of the work, and the ledger not of its answer. */
  onPurge: () => Promise<void> = async () => undefined
  #jobs = 0

  async purge(_purge: Purge, run: PurgeRun): Promise<PurgeResult> {
    const reference = `job-${++this.#jobs}`
    await run.begin(reference)
    this.told.push(`begin ${reference}`)
    await this.onPurge()
    return { kind: 'handed_off', reference }
  }

  async inspect(purge: Purge, _reference: string, run: PurgeRun): Promise<Inspection> {
    await this.onInspect()
    await eraseReach(purge, run)
    return { state: 'finished' }
  }

  async cancel(_purge: Purge, reference: string): Promise<void> {
    if (this.isDeaf) throw new Error('no answer')
    this.told.push(`stop ${reference}`)
  }
}

describe.each(dialects)('operators on %s', (dialect) => {
  it('23c. nothing can be held: hold a purge that has not begun, and nothing claims it until it is released', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    expect(await fixture.ledger.hold(id, 'legal asks')).toBe('held')
    expect(await fixture.ledger.get(id)).toMatchObject({ holdReason: 'legal asks', heldBy: 'operator' })
    expect(await claimable(fixture)).toEqual([])
    expect(await fixture.run(id)).toEqual({ state: 'held', message: 'legal asks' })
    expect(await fixture.files()).toEqual(Object.values(table.files).flat().toSorted())
    expect(await fixture.ledger.release(id)).toBe('pending')
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('hold a purge that is at work: no batch begins after the answer, and it goes on where it was', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t', { snapshots: 5, filesPerSnapshot: 50 })
    const id = await fixture.drop('t')
    let heldAt: number | undefined
    let batches = 0
    const begunAfter: number[] = []
    const io = forwardFileIO(fixture.io, {
      capabilities: { ...fixture.io.capabilities, deleteBatchSize: 50 },
      deleteFiles: async (locations, options) => {
        const batch = batches++
        if (heldAt !== undefined) begunAfter.push(batch)
        const outcomes = await fixture.io.deleteFiles(locations, options)
        if (batch === 1) {
          await fixture.ledger.hold(id, 'stop')
          heldAt = batch
        }
        return outcomes
      },
    })
    expect(await fixture.run(id, { io, deleteConcurrency: 1 })).toEqual({ state: 'held', message: 'stop' })
    expect(begunAfter).toEqual([])
    expect(batches).toBe(2)
    const left = (await fixture.files()).length
    await sleep(50)
    expect(await fixture.files()).toHaveLength(left)
    expect(await fixture.ledger.release(id)).toBe('pending')
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('hold a purge at work as often as they like: it costs no attempt', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    for (let holds = 0; holds < 6; holds++) {
      expect(await fixture.ledger.claim(id, 'w', 60_000)).toMatchObject({ attempt: 1, fruitless: 1 })
      expect(await fixture.ledger.hold(id, 'stop')).toBe('held')
      expect(await fixture.ledger.release(id)).toBe('pending')
    }
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.ledger.get(id)).toMatchObject({ attempts: 1 })
  })

  it('hold a purge whose worker has died: the attempt counts', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    await fixture.ledger.claim(id, 'dead:1', 1)
    await sleep(20)
    expect(await fixture.ledger.hold(id, 'stop')).toBe('held')
    expect(await fixture.ledger.get(id)).toMatchObject({ attempts: 1 })
  })

  it('hold a purge that was handed off: its engine is told, then it is held, and handed off anew', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const engine = new Engine()
    const run = () => fixture.run(id, { purger: engine, backoff: { base: 1, max: 1 } })
    const id = await fixture.drop('t')
    expect(await run()).toMatchObject({ state: 'handed_off' })
    expect(await fixture.ledger.hold(id, 'legal asks')).toBe('handed_off')
    expect(await fixture.ledger.get(id)).toMatchObject({ heldBy: 'operator', holdReason: 'legal asks' })
    await expect(fixture.ledger.release(id)).rejects.toThrow(PurgeStateError)
    expect((await fixture.ledger.get(id))!.nextAttemptAt).toBeLessThanOrEqual(Date.now())

    engine.isDeaf = true
    expect(await run()).toEqual({ state: 'pending', message: 'no answer' })
    expect(await fixture.ledger.get(id)).toMatchObject({ heldBy: 'operator', holdReason: 'legal asks' })
    engine.isDeaf = false
    expect(await run()).toEqual({ state: 'held', message: 'legal asks' })
    expect(engine.told).toEqual(['begin job-1', 'stop job-1'])
    expect(await fixture.ledger.get(id)).toMatchObject({ heldBy: 'operator', reference: undefined })
    expect(await claimable(fixture)).toEqual([])
    expect(await fixture.files()).toEqual(Object.values(table.files).flat().toSorted())

    expect(await fixture.ledger.release(id)).toBe('pending')
    expect(await run()).toMatchObject({ state: 'handed_off' })
    expect(await run()).toMatchObject({ state: 'succeeded' })
    expect(engine.told).toEqual(['begin job-1', 'stop job-1', 'begin job-2'])
    expect(await fixture.files()).toEqual([])
  })

  it('hold a purge while its engine is being asked: it is told to stop all the same', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const engine = new Engine()
    const id = await fixture.drop('t')
    engine.onPurge = async () => {
      engine.onPurge = async () => undefined
      expect(await fixture.ledger.hold(id, 'stop')).toBe('handed_off')
    }
    expect(await fixture.run(id, { purger: engine })).toEqual({ state: 'handed_off', message: 'stop' })
    expect(await fixture.run(id, { purger: engine })).toEqual({ state: 'held', message: 'stop' })
    expect(engine.told).toEqual(['begin job-1', 'stop job-1'])
    expect(await fixture.files()).toEqual(Object.values(table.files).flat().toSorted())
    await fixture.ledger.release(id)
    expect(await fixture.run(id, { purger: engine })).toMatchObject({ state: 'handed_off' })
    expect(await fixture.run(id, { purger: engine })).toMatchObject({ state: 'succeeded' })
  })

  it('hold a purge whose worker died while its engine was being asked: it is told to stop all the same', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const engine = new Engine()
    const id = await fixture.drop('t')
    const died = new Error('the worker is gone')
    engine.onPurge = async () => {
      engine.onPurge = async () => undefined
      throw died
    }
    const lease = (await fixture.ledger.claim(id, 'dead:1', 60_000))!
    await assign(fixture.database, lease, engine.name)
    const run = { begin: (reference: string) => begin(fixture.database, lease, reference) }
    await expect(engine.purge(lease.purge, run as never)).rejects.toThrow(died)
    expect(await fixture.ledger.hold(id, 'stop')).toBe('handed_off')
    expect(await fixture.run(id, { purger: engine })).toEqual({ state: 'held', message: 'stop' })
    expect(engine.told).toEqual(['begin job-1', 'stop job-1'])
  })

  it('hold a purge while its engine is asked about it: the answer comes too late', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const engine = new Engine()
    const id = await fixture.drop('t')
    await fixture.run(id, { purger: engine })
    engine.onInspect = async () => {
      expect(await fixture.ledger.hold(id, 'stop')).toBe('handed_off')
    }
    const left = (await fixture.files()).length
    expect(await fixture.run(id, { purger: engine })).toEqual({ state: 'handed_off', message: 'stop' })
    expect(await fixture.files()).toHaveLength(left)
    expect(await fixture.run(id, { purger: engine })).toEqual({ state: 'held', message: 'stop' })
    expect(engine.told).toEqual(['begin job-1', 'stop job-1'])
  })

  it('hold a purge whose engine cannot be told: it is held, and says so, and is asked about again afterwards', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const engine = new Engine()
    const purger: IcebergPurger = {
      name: 'stubborn',
      waits: false,
      purge: async (purge, run) => await engine.purge(purge, run),
      inspect: async (purge, reference, run) => await engine.inspect(purge, reference, run),
    }
    const id = await fixture.drop('t')
    await fixture.run(id, { purger })
    await fixture.ledger.hold(id, 'stop')
    expect(await fixture.run(id, { purger })).toEqual({
      state: 'held',
      message: 'stop (the purger stubborn cannot stop what it has handed off, which may go on)',
    })
    expect(await fixture.ledger.release(id)).toBe('pending')
    expect(await fixture.run(id, { purger })).toMatchObject({ state: 'succeeded' })
    expect(engine.told).toEqual(['begin job-1'])
  })

  it('hold a purge whose engine never answers: it fails, says why, and can be retried', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const engine = new Engine()
    const run = () => fixture.run(id, { purger: engine, backoff: { base: 1, max: 1 } })
    const id = await fixture.drop('t')
    await run()
    await fixture.ledger.hold(id, 'stop')
    engine.isDeaf = true
    let end = await run()
    for (let attempts = 1; end.state === 'pending' && attempts < 20; attempts++) end = await run()
    expect(end).toEqual({ state: 'failed', message: 'no answer' })
    expect(await fixture.ledger.get(id)).toMatchObject({ heldBy: undefined, holdReason: undefined })
    expect(await fixture.ledger.retry(id)).toBe('pending')
    expect(await run()).toMatchObject({ state: 'succeeded' })
  })

  it('23d. nothing can be cancelled or undropped: cancel or undo only what has not begun', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t', { snapshots: 2 })
    const id = await fixture.drop('t')
    const io = forwardFileIO(fixture.io, {
      deleteFiles: async () => {
        await fixture.ledger.hold(id, 'stop')
        throw new Error('the connection broke')
      },
    })
    expect(await fixture.run(id, { io })).toMatchObject({ state: 'held' })
    await expect(fixture.ledger.cancel(id)).rejects.toThrow(PurgeStateError)
    await expect(restore(fixture, id)).rejects.toThrow('has begun to erase files')
    expect(await fixture.catalog.tableExists({ namespace: ['ns'], name: 't' })).toBe(false)
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'held' })
  })

  it('cancel a purge: the files stay, their place is free, and a certificate says so', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    expect(await fixture.ledger.cancel(id)).toBe('cancelled')
    expect(await fixture.files()).toEqual(Object.values(table.files).flat().toSorted())
    await fixture.register('again', table.purge.metadataLocation)
    expect((await fixture.ledger.certificate(id))?.certificate).toMatchObject({
      state: 'cancelled',
      counts: {},
      'started-at': null,
    })
    await expect(fixture.ledger.cancel(id)).rejects.toThrow(
      `Purge ${id} is cancelled; cancel is for purges that are`,
    )
  })

  it('undo a drop as long as it is retained, and then it is the table that it was', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const before = await fixture.database.reader.selectFrom('places').selectAll().execute()
    const id = await fixture.drop('t', { retention: 60_000 })
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'retained' })
    expect(await claimable(fixture)).toEqual([])
    await expect(fixture.register('thief', table.purge.metadataLocation)).rejects.toThrow(id)
    await restore(fixture, id)
    expect(await fixture.database.reader.selectFrom('places').selectAll().execute()).toEqual(before)
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'cancelled' })
    const loaded = await fixture.catalog.loadTable(table.identifier)
    expect(loaded.metadataLocation).toBe(table.purge.metadataLocation)
    await expect(restore(fixture, id, 'twice')).rejects.toThrow('is cancelled')
    const again = await fixture.drop('t')
    expect(await fixture.run(again)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('bring a table back under another name when its own was given away', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t', { retention: 60_000 })
    const other = await fixture.table('t2')
    await fixture.catalog.renameTable(other.identifier, { namespace: ['ns'], name: 't' })
    await expect(restore(fixture, id)).rejects.toThrow('Table already exists: ns.t')
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'retained' })
    await restore(fixture, id, 'back')
    expect(await fixture.catalog.tableExists({ namespace: ['ns'], name: 'back' })).toBe(true)
  })

  it('a drop is purged when its retention is over', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t', { retention: 200 })
    expect(await claimable(fixture)).toEqual([])
    await sleep(300)
    expect(await claimable(fixture)).toEqual([id])
  })

  it('a retained table keeps its files from the purge of another entry of the same metadata', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    await fixture.register('twin', table.purge.metadataLocation)
    const retained = await fixture.drop('t', { retention: 60_000 })
    const twin = await fixture.drop('twin')
    expect(await fixture.run(twin)).toMatchObject({
      state: 'held',
      message: expect.stringContaining(`can still be undone (purge ${retained})`),
    })
    expect(await fixture.files()).toEqual(Object.values(table.files).flat().toSorted())
  })

  it('prune what ended long ago, never what failed, and keep the certificates', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('good')
    const bad = await fixture.table('bad')
    await fixture.io.deleteFiles([bad.purge.metadataLocation])
    const [good, failed] = [await fixture.drop('good'), await fixture.drop('bad')]
    await fixture.run(good, { purger: new SynchronousPurger() })
    await fixture.run(failed)
    expect(await fixture.ledger.prune('main', 60_000)).toBe(0)
    await sleep(20)
    expect(await fixture.ledger.prune('main', 10)).toBe(1)
    expect(await fixture.ledger.get(good)).toBeUndefined()
    expect(await fixture.ledger.get(failed)).toMatchObject({ state: 'failed' })
    expect(await fixture.ledger.certificate(good)).toBeDefined()
  })
})
