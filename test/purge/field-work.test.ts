/** Failures that other catalogs have shipped with, in the work itself: each is shown not to be ours. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { beat, finish, LeaseLostError } from '../../src/purge/ledger/leased.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { dialects } from '../../src/testing/databases.ts'
import { nothingDone, PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { watchDeletes } from '../../src/testing/watched-file-io.ts'

const turns = [{ warehouse: 'main', leaseTime: 60_000 }]
const all = (files: Readonly<Record<string, readonly string[]>>) => Object.values(files).flat()

describe.each(dialects)('not a failure of ours, on %s:', (dialect) => {
  it('4. metadata files, manifest lists and partition statistics are forgotten', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    for (const formatVersion of [1, 2, 3] as const) {
      const table = await fixture.table(`v${formatVersion}`, { formatVersion })
      for (const stage of ['manifest-lists', 'statistics', 'metadata', 'root'] as const) {
        expect(table.files[stage].length).toBeGreaterThan(0)
      }
      // Without a sweep: what is erased was reached.
      expect(await fixture.run(await fixture.drop(`v${formatVersion}`), { sweep: 'report' })).toMatchObject({
        state: 'succeeded',
      })
      expect(await fixture.files()).toEqual([])
    }
  })

  it('5. without the permission to delete it says OK, and deletes nothing', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    const forbidden = watchDeletes(fixture.io, () => ({
      outcome: 'blocked',
      code: 'AccessDenied',
      message: 'not allowed',
    }))
    const end = await fixture.run(id, { io: forbidden, backoff: { base: 1, max: 1 } })
    expect(end).toMatchObject({ state: 'failed', message: expect.stringContaining('AccessDenied') })
    const named = (await fixture.ledger.failures(id, 1_000)).map(({ path }) => path)
    expect(named).toEqual(table.files.data.toSorted())
    expect(await fixture.files()).toEqual(all(table.files).toSorted())
  })

  it('6. a storm of 503s inside answers ends as a success', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    const storm = watchDeletes(fixture.io, () => ({
      outcome: 'failed',
      code: 'SlowDown',
      message: 'Please reduce your request rate.',
    }))
    for (let attempt = 0; attempt < 8; attempt++) {
      const end = await fixture.run(id, { io: storm, backoff: { base: 1, max: 1 } })
      expect(end).toMatchObject({ state: 'pending', message: expect.stringContaining('SlowDown') })
    }
    // Only time helps: it costs no attempt.
    expect(await fixture.ledger.get(id)).toMatchObject({ attempts: 0 })
    expect(await fixture.files()).toEqual(all(table.files).toSorted())
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('7. a name that is too long for the job table leaves a drop without a purge', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const name = 'ü'.repeat(500)
    await fixture.table('t')
    await fixture.catalog.renameTable({ namespace: ['ns'], name: 't' }, { namespace: ['ns'], name })
    const id = await fixture.drop(name)
    expect(await fixture.ledger.get(id)).toMatchObject({ purge: { name } })
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('13. a renamed table and one created under its old name share a location', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.catalog.createNamespace(['ns'], {})
    const request = {
      name: 't',
      schema: { type: 'struct', fields: [] },
      partitionSpec: undefined,
      writeOrder: undefined,
      location: undefined,
      properties: {},
    }
    const first = await fixture.catalog.createTable(['ns'], request)
    await fixture.catalog.renameTable(first.identifier, { namespace: ['ns'], name: 'renamed' })
    const second = await fixture.catalog.createTable(['ns'], request)
    const before = await fixture.files()
    expect(await fixture.run(await fixture.drop('renamed'))).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual(before.filter((path) => path !== first.metadataLocation))
    expect(await fixture.files()).toContain(second.metadataLocation)
  })

  it('16. what is left of a failed purge is cleaned up over a table that was created there since', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    await fixture.io.deleteFiles([table.files.manifests[0]!])
    const id = await fixture.drop('t')
    expect(await fixture.run(id)).toMatchObject({ state: 'failed' })
    const request = {
      name: 't',
      schema: { type: 'struct', fields: [] },
      partitionSpec: undefined,
      writeOrder: undefined,
      properties: {},
    }
    for (const location of [fixture.location('t'), `${fixture.location('t')}/data`]) {
      await expect(fixture.catalog.createTable(['ns'], { ...request, location })).rejects.toThrow(id)
    }
    const fresh = await fixture.catalog.createTable(['ns'], { ...request, location: undefined })
    await fixture.own('t')
    await fixture.ledger.retry(id, { byLocation: true })
    // The place's owner is the drop's record, not the present row: what a user chose stays a user's.
    expect(await fixture.run(id)).toMatchObject({ state: 'failed' })
    expect(await fixture.files()).toContain(fresh.metadataLocation)
  })

  it('17. manifests are kept in the rows of tasks', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t', { snapshots: 60, filesPerSnapshot: 2 })
    const id = await fixture.drop('t')
    const cut = watchDeletes(fixture.io, (path) =>
      path.endsWith('.avro') ? { outcome: 'failed', code: 'InternalError', message: 'no' } : undefined,
    )
    await fixture.run(id, { io: cut })
    const row = await fixture.database.reader
      .selectFrom('purges')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    expect(JSON.stringify({ ...row, last_error: '' }).length).toBeLessThan(3_000)
  })

  it('18. no time passes between two attempts', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const down = forwardFileIO(fixture.io, {
      // biome-ignore lint/correctness/useYield: it never comes so far.
      readStream: async function* () {
        throw new Error('the store is down')
      },
    })
    const backoff = { base: 600_000, max: 3_600_000 }
    let waits = 0
    for (let attempt = 1; attempt <= 4; attempt++) {
      const before = Date.now()
      expect(await fixture.run(id, { io: down, backoff })).toMatchObject({ state: 'pending' })
      const { nextAttemptAt } = (await fixture.ledger.get(id))!
      expect(nextAttemptAt - before).toBeLessThan(600_000 * 2 ** attempt + 5_000)
      waits += nextAttemptAt - before
    }
    expect(waits).toBeGreaterThan(60_000)
    expect((await fixture.ledger.claimDue(turns, 'next', 1)).leases).toEqual([])
  })

  it('21b. credentials are resolved once, and never again while the server runs', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    let renewed = 0
    const io = forwardFileIO(fixture.io, {
      renewCredentials: async () => void renewed++,
      deleteFiles: async (locations, options) => {
        if (renewed < 3) throw new Error('the keys are old')
        return await fixture.io.deleteFiles(locations, options)
      },
    })
    for (const state of ['pending', 'pending', 'succeeded']) {
      expect(await fixture.run(id, { io, backoff: { base: 1, max: 1 } })).toMatchObject({ state })
    }
    expect(renewed).toBe(3)
  })

  it('19. manifests are read again for every snapshot', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t', { snapshots: 20, filesPerSnapshot: 1 })
    const opened: string[] = []
    const io = forwardFileIO(fixture.io, {
      readStream: (location, options) => {
        opened.push(location)
        return fixture.io.readStream(location, options)
      },
    })
    expect(await fixture.run(await fixture.drop('t'), { io })).toMatchObject({ state: 'succeeded' })
    const expected = [...table.files.manifests, ...table.files['manifest-lists']].toSorted()
    expect(opened.filter((path) => path.endsWith('.avro')).toSorted()).toEqual(expected)
  })

  it('20. a beat or an end that comes late revives a purge that is over', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const late = (await fixture.ledger.claim(id, 'late:1', 1))!
    await sleep(20)
    const { leases } = await fixture.ledger.claimDue(turns, 'next:1', 1)
    const evidence = { paths: null, verification: [], store: {} }
    await finish(fixture.database, leases[0]!, { state: 'succeeded', evidence }, nothingDone)
    await expect(beat(fixture.database, late, 60_000, nothingDone)).rejects.toThrow(LeaseLostError)
    const failed = { state: 'failed', error: 'late' } as const
    await expect(finish(fixture.database, late, failed, nothingDone)).rejects.toThrow(LeaseLostError)
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'succeeded', lastError: undefined })
  })

  it('20b. a worker that slept through its lease goes on deleting', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t', { snapshots: 3, filesPerSnapshot: 50 })
    const id = await fixture.drop('t')
    let batches = 0
    let other: unknown
    const io = forwardFileIO(fixture.io, {
      capabilities: { ...fixture.io.capabilities, deleteBatchSize: 50 },
      deleteFiles: async (locations, options) => {
        batches++
        const outcomes = await fixture.io.deleteFiles(locations, options)
        if (batches === 1) {
          // As after a long pause of the whole process: another worker has the purge now.
          await fixture.database.transaction(async (tx) => {
            await tx.updateTable('purges').set({ lease_expires_at: 0 }).where('id', '=', id).execute()
          })
          other = (await fixture.ledger.claimDue(turns, 'other:1', 1)).leases[0]
        }
        return outcomes
      },
    })
    expect(await fixture.run(id, { io, deleteConcurrency: 1 })).toMatchObject({ state: 'running' })
    expect(other).toMatchObject({ purge: { id } })
    expect(batches).toBe(1)
  })
})
