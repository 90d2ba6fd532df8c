import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { eraseReach } from '../../src/purge/erase-reach.ts'
import { beat, begin, finish, LeaseLostError } from '../../src/purge/ledger/leased.ts'
import { PurgeMessageError } from '../../src/purge/ledger/messages.ts'
import type { IcebergPurger, PurgeMessage } from '../../src/purge/purger.ts'
import { dialects } from '../../src/testing/databases.ts'
import { nothingDone, PurgeFixture } from '../../src/testing/purge-fixture.ts'

describe.each(dialects)('the ledger on %s', (dialect) => {
  it('records a purge with the drop or not at all', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { identifier } = await fixture.table('t')
    const failing = fixture.catalog.dropTable(identifier, {
      alongside: async (tx, dropped) => {
        await fixture.ledger.record(
          tx,
          dropped,
          { principal: 'p', requestId: 'r', client: 'c' },
          { purger: 'x', maxAttempts: 1 },
        )
        throw new Error('the crash before COMMIT')
      },
    })
    await expect(failing).rejects.toThrow('the crash before COMMIT')
    expect(await fixture.catalog.tableExists(identifier)).toBe(true)
    expect(await fixture.ledger.list()).toEqual([])
    const places = await fixture.database.reader.selectFrom('places').selectAll().execute()
    expect(places).toMatchObject([{ purge_id: null }])

    const id = await fixture.drop('t')
    expect(await fixture.catalog.tableExists(identifier)).toBe(false)
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
    const moved = await fixture.database.reader.selectFrom('places').selectAll().execute()
    expect(moved).toMatchObject([{ purge_id: id, entry_id: null }])
  })

  it('gives a purge to one worker at a time, and counts the attempt at the claim', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, n) => fixture.ledger.claim(id, `w${n}`, 60_000)),
    )
    const [lease, ...others] = claims.filter((claim) => claim !== undefined)
    expect(others).toEqual([])
    expect(lease).toMatchObject({ epoch: 1, attempt: 1, checkpoint: undefined })
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'running', attempts: 1 })
  })

  it('takes no write from a worker whose lease is lost', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const lease = (await fixture.ledger.claim(id, 'w', 1))!
    await sleep(20)
    const turns = [{ warehouse: 'main', leaseTime: 60_000 }]
    expect((await fixture.ledger.claimDue(turns, 'other', 4)).leases).toHaveLength(1)
    const failure = {
      path: 'x',
      stage: 'data',
      outcome: 'failed',
      code: 'c',
      message: 'm',
      own: true,
    } as const
    const { database } = fixture
    const progress = { ...nothingDone, counts: { data: { deleted: 1 } }, failures: [failure] }
    const end = { state: 'succeeded', evidence: { paths: null, verification: [], store: {} } } as const
    await expect(beat(database, lease, 60_000, progress)).rejects.toThrow(LeaseLostError)
    await expect(begin(database, lease)).rejects.toThrow(LeaseLostError)
    await expect(finish(database, lease, end, progress)).rejects.toThrow(LeaseLostError)
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'running', counts: {}, begunAt: undefined })
    expect(await fixture.ledger.failures(id)).toEqual([])
  })

  it('leaves a purge alone that another server is working on', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    await fixture.ledger.claim(id, 'w', 60_000)
    const turns = [{ warehouse: 'main', leaseTime: 60_000 }]
    expect(await fixture.ledger.claimDue(turns, 'other', 4)).toEqual({ leases: [], settled: 0 })
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'running' })
  })

  it('stops a worker before its next batch when its lease is gone', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    let aborted = false
    const purger: IcebergPurger = {
      name: 'slow',
      waits: true,
      purge: async (_purge, run) => {
        await fixture.database.transaction((tx) =>
          tx.updateTable('purges').set({ lease_epoch: 99 }).where('id', '=', id).execute(),
        )
        await new Promise<void>((resolve) => run.signal.addEventListener('abort', () => resolve()))
        aborted = true
        throw run.signal.reason as Error
      },
    }
    expect(await fixture.run(id, { purger, leaseTime: 150 })).toMatchObject({ state: 'running' })
    expect(aborted).toBe(true)
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'running' })
  })

  it('names paths of any length and content', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const lease = (await fixture.ledger.claim(id, 'w', 60_000))!
    const paths = ['x'.repeat(100_000), `${'x'.repeat(100_000)}y`, 'with\0nul', 'ünï🦆'.repeat(150), '\ud800']
    const failures = paths.map((path) => ({
      path,
      stage: 'data' as const,
      outcome: 'blocked' as const,
      code: 'InvalidLocation\0',
      message: path,
      own: true,
    }))
    const { database } = fixture
    await beat(database, lease, 60_000, { ...nothingDone, failures })
    await beat(database, lease, 60_000, { ...nothingDone, failures })
    expect(await fixture.ledger.failures(id)).toHaveLength(paths.length)
    await finish(database, lease, { state: 'failed', error: `${'x\0'.repeat(10_000)}` }, nothingDone)
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'failed' })
  })

  it('shows progress while the work goes on', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const purger: IcebergPurger = {
      name: 'slow',
      waits: true,
      purge: async (_purge, run) => {
        run.progress({ data: { deleted: 7 } })
        for (;;) {
          const record = await fixture.ledger.get(id)
          if (record?.counts.data?.deleted === 7) return { kind: 'done' }
          await sleep(10)
        }
      },
    }
    expect(await fixture.run(id, { purger, leaseTime: 100 })).toMatchObject({ state: 'succeeded' })
    expect((await fixture.ledger.get(id))?.counts).toEqual({ data: { deleted: 7 } })
  })

  it('frees the place of what succeeded, keeps that of what failed', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const good = await fixture.table('good')
    const bad = await fixture.table('bad')
    await fixture.io.deleteFiles([bad.files['manifest-lists'][0]!])
    const [goodId, badId] = [await fixture.drop('good'), await fixture.drop('bad')]
    expect(await fixture.run(goodId)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.run(badId)).toMatchObject({ state: 'failed' })
    const places = await fixture.database.reader.selectFrom('places').select('purge_id').execute()
    expect(places).toEqual([{ purge_id: badId }])
    expect(await fixture.files()).toEqual(
      Object.values(bad.files)
        .flat()
        .filter((path) => path !== bad.files['manifest-lists'][0])
        .toSorted(),
    )
    expect(good.files.root).toHaveLength(1)
  })

  it('keeps what an external engine says, once, has the purge looked at, and forgets it at the end', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const heard: (readonly PurgeMessage[])[] = []
    const purger: IcebergPurger = {
      name: 'elsewhere',
      waits: false,
      purge: async () => ({ kind: 'handed_off', reference: 'job-1' }),
      inspect: async (purge, reference, run) => {
        expect(reference).toBe('job-1')
        heard.push(await run.messages())
        if (heard.at(-1)!.length === 0) return { state: 'running' }
        const { mayBeSwept = false } = (await eraseReach(purge, run)) as { mayBeSwept?: boolean }
        return { state: 'finished', mayBeSwept }
      },
    }
    const due = async () => (await fixture.ledger.get(id))!.nextAttemptAt <= Date.now()
    expect(await fixture.run(id, { purger })).toMatchObject({ state: 'handed_off' })
    expect(await due()).toBe(false)
    expect(await fixture.run(id, { purger })).toMatchObject({ state: 'handed_off' })

    expect(await fixture.ledger.deliver(id, [{ key: 'task-1', body: { files: 3 } }])).toBe(true)
    expect(await fixture.ledger.deliver(id, [{ key: 'task-1', body: { files: 4 } }])).toBe(true)
    expect(await due()).toBe(true)
    for (const key of ['', 'k'.repeat(201), 'zero\0']) {
      await expect(fixture.ledger.deliver(id, [{ key, body: 1 }])).rejects.toThrow(PurgeMessageError)
    }
    for (const body of [undefined, 'x'.repeat(70_000), 'zero\0']) {
      await expect(fixture.ledger.deliver(id, [{ key: 'k', body }])).rejects.toThrow(PurgeMessageError)
    }

    expect(await fixture.run(id, { purger })).toMatchObject({ state: 'succeeded' })
    expect(heard).toEqual([[], [{ key: 'task-1', body: { files: 3 } }]])
    expect(await fixture.ledger.deliver(id, [{ key: 'late', body: 1 }])).toBe(false)
    expect(await fixture.ledger.deliver(randomUUID(), [{ key: 'lost', body: 1 }])).toBe(false)
    expect(await fixture.database.reader.selectFrom('purge_messages').selectAll().execute()).toEqual([])
  })

  it('has a purge looked at again at once when a message came during the last look', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const purger: IcebergPurger = {
      name: 'elsewhere',
      waits: false,
      purge: async () => ({ kind: 'handed_off', reference: 'job-1' }),
      inspect: async (_purge, _reference, run) => {
        if ((await run.messages()).length === 0) await fixture.ledger.deliver(id, [{ key: 'late', body: 1 }])
        return { state: 'running' }
      },
    }
    const wait = async () => (await fixture.ledger.get(id))!.nextAttemptAt - Date.now()
    await fixture.run(id, { purger })
    expect(await wait()).toBeGreaterThan(1_000)
    await fixture.run(id, { purger })
    expect(await wait()).toBeLessThanOrEqual(0)
    await fixture.run(id, { purger })
    expect(await wait()).toBeGreaterThan(1_000)
  })

  it('has a purge looked at again at once when its engine answered before the ledger had the hand-off', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const purger: IcebergPurger = {
      name: 'elsewhere',
      waits: false,
      purge: async () => {
        await fixture.ledger.deliver(id, [{ key: 'early', body: 1 }])
        return { kind: 'handed_off', reference: 'job-1' }
      },
      // It does not ask for messages, and is not asked again for one that is old.
      inspect: async () => ({ state: 'running' }),
    }
    const wait = async () => (await fixture.ledger.get(id))!.nextAttemptAt - Date.now()
    await fixture.run(id, { purger })
    expect(await wait()).toBeLessThanOrEqual(0)
    await fixture.run(id, { purger })
    expect(await wait()).toBeGreaterThan(1_000)
  })

  it('has the purger asked about its engine when it says so', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const purger: IcebergPurger = {
      name: 'elsewhere',
      waits: false,
      purge: async () => ({ kind: 'handed_off', reference: 'job-1', askAfter: 3_600_000 }),
      inspect: async () => ({ state: 'running', askAfter: 7_200_000 }),
    }
    const hours = async () => ((await fixture.ledger.get(id))!.nextAttemptAt - Date.now()) / 3_600_000
    await fixture.run(id, { purger })
    expect(await hours()).toBeCloseTo(1)
    await fixture.run(id, { purger })
    expect(await hours()).toBeCloseTo(2)
  })
})
