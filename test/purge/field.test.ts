/** Known failures of shipped servers, each with the proof that it is not one of ours. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { SqlCatalog } from '../../src/catalog/sql/sql-catalog.ts'
import { keepOthers } from '../../src/purge/keep-others.ts'
import type { FileIO } from '../../src/storage/file-io.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { placeKey } from '../../src/storage/location.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { writeTable } from '../../src/testing/table-writer/table.ts'
import { watchDeletes } from '../../src/testing/watched-file-io.ts'

const all = (files: Readonly<Record<string, readonly string[]>>) => Object.values(files).flat()

describe.each(dialects)('not a failure of ours, on %s:', (dialect) => {
  it('1. errors of bulk deletion are swallowed, parents deleted, success claimed', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    const stubborn = table.files.data[2]!
    const io = watchDeletes(fixture.io, (path) =>
      path === stubborn ? { outcome: 'failed', code: 'InternalError', message: 'no' } : undefined,
    )
    expect(await fixture.run(id, { io })).toMatchObject({ state: 'failed' })
    expect(await fixture.ledger.failures(id)).toMatchObject([
      { path: stubborn, outcome: 'failed', stage: 'data' },
    ])
    expect(await fixture.files()).toEqual([stubborn, ...all({ ...table.files, data: [] })].toSorted())
    expect((await fixture.ledger.get(id))?.counts.data).toMatchObject({ failed: 1 })
  })

  it('2. tables with delete files cannot be purged', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    for (const formatVersion of [2, 3] as const) {
      await fixture.table('t', { formatVersion })
      expect(await fixture.run(await fixture.drop('t'))).toMatchObject({ state: 'succeeded' })
      expect(await fixture.files()).toEqual([])
    }
  })

  it('3. a missing root metadata file counts as success', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    await fixture.io.deleteFiles([table.purge.metadataLocation])
    expect(await fixture.run(id)).toMatchObject({ state: 'failed', message: expect.stringContaining('root') })
    expect(await fixture.files()).toHaveLength(all(table.files).length - 1)
  })

  it('11. dropping test erases test2', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('test')
    const neighbour = await fixture.table('test2')
    await fixture.run(await fixture.drop('test'))
    expect(await fixture.files()).toEqual(all(neighbour.files).toSorted())
  })

  it('12a. two registrations of one metadata file: purging one destroys the other', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('first')
    await fixture.register('second', table.purge.metadataLocation)
    const id = await fixture.drop('first')
    expect(await fixture.run(id)).toMatchObject({
      state: 'held',
      message: expect.stringContaining('ns.second'),
    })
    expect(await fixture.files()).toEqual(all(table.files).toSorted())
  })

  it('12b. a table registered again is destroyed by the purge still in the queue', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    await expect(fixture.register('back', table.purge.metadataLocation)).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining(id),
    })
  })

  it('12c. a copy of the metadata with the same UUID under another path is not noticed', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const copy = `${table.purge.metadataLocation.replace('.metadata.json', '')}-copy.metadata.json`
    await fixture.io.write(copy, await fixture.io.read(table.purge.metadataLocation))
    await fixture.register('copy', copy)
    expect(await fixture.run(await fixture.drop('t'))).toMatchObject({ state: 'held' })
    expect((await fixture.files()).length).toBe(all(table.files).length + 1)
  })

  it('14. gc.enabled=false is ignored', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('snapshot', { properties: { 'gc.enabled': 'FALSE' } })
    const id = await fixture.drop('snapshot')
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual(table.files.data.toSorted())
    expect((await fixture.ledger.get(id))?.counts.data).toEqual({ kept: table.files.data.length })
  })

  it("files that were added from a neighbour's folder are deleted", async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const lender = await fixture.table('lender')
    await fixture.table('borrower', { borrowed: lender.files.data })
    const id = await fixture.drop('borrower')
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual(all(lender.files).toSorted())
    expect((await fixture.ledger.get(id))?.counts.data?.kept).toBe(lender.files.data.length)
  })

  it('11b. a table inside the folder of the purged one loses its files', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const inner = await fixture.table('outer/inner')
    await fixture.table('outer', { borrowed: inner.files.data })
    await fixture.run(await fixture.drop('outer'))
    expect(await fixture.files()).toEqual(all(inner.files).toSorted())
  })

  it('11c. the purge of a table inside a live one cannot erase its own files', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const outer = await fixture.table('outer')
    await fixture.table('outer/inner')
    await fixture.run(await fixture.drop('outer/inner'))
    expect(await fixture.files()).toEqual(all(outer.files).toSorted())
  })

  it('8. a crash while the server worked is forgotten', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    await fixture.ledger.claim(id, 'dead:1', 0)
    await new Promise((resolve) => setTimeout(resolve, 10))
    const turns = [{ warehouse: 'main', leaseTime: 60_000 }]
    const { leases } = await fixture.ledger.claimDue(turns, 'next:1', 1)
    expect(leases).toMatchObject([{ purge: { id }, attempt: 2 }])
  })

  it('21. passwords of the catalog are copied into job rows', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t', { properties: { 's3.secret-access-key': 'hunter2' } })
    await fixture.drop('t')
    const rows = await fixture.database.reader.selectFrom('purges').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain('hunter2')
  })

  it('24. a broken table cannot be dropped', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    await fixture.io.write(table.purge.metadataLocation, Buffer.from('garbage'))
    const id = await fixture.drop('t')
    expect(await fixture.catalog.tableExists(table.identifier)).toBe(false)
    expect(await fixture.run(id)).toMatchObject({ state: 'failed' })
  })

  it('12d. metadata as another server wrote it, in another spelling, is taken for another place', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const spelled = table.purge.metadataLocation.replace('file://', 'file:')
    const catalog = new SqlCatalog({
      warehouse: 'other',
      location: `file://${fixture.folder}/other`,
      database: fixture.database,
      io: fixture.io,
      logger: { warn: () => undefined } as never,
    })
    await catalog.createNamespace(['ns'], {})
    await catalog.registerTable(['ns'], { name: 'same', metadataLocation: spelled, overwrite: false })
    expect(await fixture.run(await fixture.drop('t'))).toMatchObject({ state: 'held' })
    expect(placeKey(spelled)).toBe(placeKey(table.purge.metadataLocation))
  })

  it('12e. a table that is registered over foreign files while a purge that names them runs', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const foreign = await writeTable(fixture.io, fixture.location('foreign'))
    const borrowed = foreign.files.data.slice(0, 1)
    const table = await fixture.table('t', { borrowed })
    const keep = keepOthers(fixture.database.reader, { ...table.purge, id: await fixture.drop('t') })
    const paths = [...borrowed, table.files.data[0]!]
    expect(await keep(paths)).toEqual([undefined, undefined])
    await fixture.register('foreign', foreign.purge.metadataLocation)
    expect(await keep(paths)).toEqual(['inside-live-table', undefined])
  })

  it('12f. a table that is registered over foreign files while their deletion waits for its turn', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const foreign = await writeTable(fixture.io, fixture.location('foreign'))
    await fixture.table('t', { borrowed: foreign.files.data })
    const id = await fixture.drop('t')
    let waits = 0
    const pace = (io: FileIO) =>
      forwardFileIO(io, {
        deleteFiles: async (locations, options) => {
          if (waits++ === 0) {
            await fixture.register('foreign', foreign.purge.metadataLocation)
            await sleep(1_100)
          }
          return await io.deleteFiles(locations, options)
        },
      })
    const backoff = { base: 1, max: 1 }
    expect(await fixture.run(id, { pace, backoff })).toMatchObject({
      state: 'pending',
      message: expect.stringContaining('Another table has got the place'),
    })
    expect(await fixture.run(id, { pace, backoff })).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual(all(foreign.files).toSorted())
  })
})
