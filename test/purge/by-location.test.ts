import { describe, expect, it } from 'vitest'
import { FileNotFoundError } from '../../src/storage/file-io.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { watchDeletes } from '../../src/testing/watched-file-io.ts'
import { table as request, view } from '../catalog/fixture.ts'

const all = (files: Readonly<Record<string, readonly string[]>>) => Object.values(files).flat()

/** A table with a file that it does not name, at a location that the catalog did or did not assign. */
async function tableWithStray(fixture: PurgeFixture, owned: boolean) {
  const table = await fixture.table('t')
  const stray = `${fixture.location('t')}/data/late-commit.parquet`
  await fixture.io.write(stray, Buffer.from('late'))
  if (owned) await fixture.own('t')
  return { table, stray }
}

async function byLocation(fixture: PurgeFixture, id: string, options = {}) {
  await fixture.ledger.retry(id, { byLocation: true })
  return await fixture.run(id, options)
}

describe.each(dialects)('erasing by location on %s', (dialect) => {
  it('erases a broken table by its location only when an operator says so', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const neighbour = await fixture.table('t2')
    const { table } = await tableWithStray(fixture, true)
    await fixture.io.write(table.purge.metadataLocation, Buffer.from('garbage'))
    const id = await fixture.drop('t')
    expect(await fixture.run(id)).toMatchObject({ state: 'failed' })
    await fixture.ledger.retry(id)
    expect(await fixture.run(id)).toMatchObject({ state: 'failed' })
    await fixture.ledger.retry(id, { byLocation: true })
    expect(await fixture.run(id)).toEqual({ state: 'succeeded', message: undefined })
    expect(await fixture.files()).toEqual(all(neighbour.files).toSorted())
  })

  it('erases nothing by a location that a user chose', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { table } = await tableWithStray(fixture, false)
    await fixture.io.deleteFiles([table.purge.metadataLocation])
    const before = await fixture.files()
    const id = await fixture.drop('t')
    await fixture.run(id)
    await fixture.ledger.retry(id, { byLocation: true })
    expect(await fixture.run(id)).toMatchObject({
      state: 'failed',
      message: expect.stringContaining(`The catalog did not assign ${fixture.location('t')}`),
    })
    expect(await fixture.files()).toEqual(before)
  })

  it('is refused where all can be read, and forgets none of the files that are named', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const outside = `${fixture.base}/elsewhere/borrowed.parquet`
    await fixture.io.write(outside, Buffer.from('x'))
    await fixture.table('t', { borrowed: [outside] })
    await fixture.own('t')
    const id = await fixture.drop('t')
    const io = watchDeletes(fixture.io, (path) =>
      path === outside ? { outcome: 'blocked', code: 'AccessDenied', message: 'no' } : undefined,
    )
    expect(await fixture.run(id, { io })).toMatchObject({ state: 'failed' })
    expect(await byLocation(fixture, id, { io })).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('retry the purge as it is'),
    })
    expect(await fixture.ledger.failures(id)).toMatchObject([{ path: outside, outcome: 'blocked' }])
    await fixture.ledger.retry(id)
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('erases what is named outside of the locations, and fails while any of it is left', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const outside = `${fixture.base}/elsewhere/borrowed.parquet`
    await fixture.io.write(outside, Buffer.from('x'))
    const table = await fixture.table('t', { borrowed: [outside] })
    await fixture.own('t')
    const id = await fixture.drop('t')
    const io = watchDeletes(fixture.io, (path) =>
      path === outside ? { outcome: 'blocked', code: 'AccessDenied', message: 'no' } : undefined,
    )
    await fixture.run(id, { io })
    await fixture.io.write(table.purge.metadataLocation, Buffer.from('garbage'))
    expect(await byLocation(fixture, id, { io })).toMatchObject({
      state: 'failed',
      message: expect.stringContaining(outside),
    })
    expect(await fixture.ledger.failures(id)).toMatchObject([{ path: outside }])
    expect(await byLocation(fixture, id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('is done where a manifest cannot be read', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { table } = await tableWithStray(fixture, true)
    await fixture.io.write(table.manifests.at(-1)!.path, Buffer.from('garbage'))
    const id = await fixture.drop('t')
    expect(await fixture.run(id)).toMatchObject({ state: 'failed' })
    expect(await byLocation(fixture, id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('ends a purge that has begun at a location of a user, once nothing is left there', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const inner = await fixture.tableAt('inner', 't/inner')
    const id = await fixture.drop('t')
    const io = watchDeletes(fixture.io, () => ({ outcome: 'failed', code: 'InternalError', message: 'no' }))
    await fixture.run(id, { io })
    const others = new Set(all(inner.files))
    const last = table.files.data[0]!
    await fixture.io.deleteFiles(all(table.files).filter((path) => path !== last))
    await fixture.ledger.retry(id)
    expect(await fixture.run(id)).toMatchObject({ state: 'failed' })
    const keeping = watchDeletes(fixture.io, (path) =>
      path === last ? { outcome: 'failed', code: 'InternalError', message: 'no' } : undefined,
    )
    expect(await byLocation(fixture, id, { io: keeping })).toMatchObject({ state: 'failed' })
    expect(await byLocation(fixture, id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([...others].toSorted())
    const { verification } = (await fixture.ledger.certificate(id))!.certificate
    expect(verification).toMatchObject([{ policy: 'reported', erased: 0, left: others.size }])
    await fixture.catalog.createTable(['ns'], request('t3', { location: `${fixture.location('t')}/new` }))
  })

  it('names what is left at a location of a user', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { table, stray } = await tableWithStray(fixture, false)
    const id = await fixture.drop('t')
    await fixture.io.deleteFiles(all(table.files))
    await fixture.run(id)
    expect(await byLocation(fixture, id)).toMatchObject({
      state: 'failed',
      message: expect.stringContaining(stray),
    })
    expect(await fixture.files()).toEqual([stray])
  })

  it.each([true, false])('takes a store in which nothing is for the wrong one, owned: %s', async (owned) => {
    await using fixture = await PurgeFixture.open(dialect)
    const { table } = await tableWithStray(fixture, owned)
    const before = await fixture.files()
    const id = await fixture.drop('t')
    const io = forwardFileIO(fixture.io, {
      list: async function* () {},
      stat: async () => undefined,
      readStream: async function* (location) {
        yield* [] as Buffer[]
        throw new FileNotFoundError(location)
      },
    })
    expect(await fixture.run(id, { io })).toMatchObject({ state: 'failed' })
    expect(await byLocation(fixture, id, { io })).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('is this the right store?'),
    })
    expect(await fixture.files()).toEqual(before)
    expect((await fixture.ledger.get(id))?.begunAt).toBeUndefined()
    await fixture.ledger.hold(id, 'look')
    await fixture.ledger.cancel(id)
    await fixture.register('again', table.purge.metadataLocation)
  })

  it('a view whose root is missing is not erased by itself: is it the right store?', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.catalog.createNamespace(['ns'], {})
    const { metadataLocation } = await fixture.catalog.createView(['ns'], view('v'))
    const bytes = await fixture.io.read(metadataLocation)
    const id = await fixture.dropView('v')
    await fixture.io.deleteFiles([metadataLocation])
    expect(await fixture.run(id)).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('The root metadata file is missing'),
    })
    expect((await fixture.ledger.get(id))?.counts).toEqual({})
    await fixture.io.write(metadataLocation, bytes)
    await fixture.ledger.retry(id)
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })
})
