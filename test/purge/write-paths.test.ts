import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/iceberg/json/exact-json.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { change, table as request, schema, setLocation, setProperties } from '../catalog/fixture.ts'

const all = (files: Readonly<Record<string, readonly string[]>>) => Object.values(files).flat()

async function create(fixture: PurgeFixture, name: string, properties = {}, location?: string) {
  await fixture.catalog.createNamespace(['ns'], {}).catch((error: Error) => {
    if (error.name !== 'AlreadyExistsException') throw error
  })
  const { metadataLocation, document } = await fixture.catalog.createTable(
    ['ns'],
    request(name, { properties, location }),
  )
  return { root: metadataLocation!, location: document.model.location }
}

const identifier = (name: string) => ({ namespace: ['ns'], name })

/** A file of which no metadata tells. */
async function stray(fixture: PurgeFixture, path: string): Promise<string> {
  await fixture.io.write(path, Buffer.from('x'))
  return path
}

describe.each(dialects)('on %s, a table that writes outside of its location', (dialect) => {
  it('and into one that is swept, keeps its metadata', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const a = await create(fixture, 'a')
    const late = await stray(fixture, `${a.location}/data/late.parquet`)
    const b = await create(fixture, 'b', { 'write.metadata.path': `${a.location}/meta-of-b` })
    const id = await fixture.drop('a')
    await fixture.catalog.commitTable(identifier('b'), setProperties({ later: 'yes' }))
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    const { metadataLocation } = await fixture.catalog.loadTable(identifier('b'))
    expect(await fixture.files()).toEqual([b.root, metadataLocation, late].toSorted())
    expect((await fixture.ledger.certificate(id))?.certificate.verification).toMatchObject([
      { policy: 'overlapped' },
    ])
  })

  it.each(['write.data.path', 'write.object-storage.path', 'write.folder-storage.path'])(
    'and into one that is swept, keeps its data: %s',
    async (property) => {
      await using fixture = await PurgeFixture.open(dialect)
      const a = await create(fixture, 'a')
      await create(fixture, 'b')
      await fixture.catalog.commitTable(
        identifier('b'),
        setProperties({ [property]: `${a.location}/data-of-b` }),
      )
      const data = await stray(fixture, `${a.location}/data-of-b/1.parquet`)
      expect(await fixture.run(await fixture.drop('a'))).toMatchObject({ state: 'succeeded' })
      expect(await fixture.files()).toContain(data)
    },
  )

  it('keeps its files when it is dropped itself and can come back', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const a = await create(fixture, 'a')
    const b = await create(fixture, 'b', { 'write.data.path': `${a.location}/data-of-b` })
    const data = await stray(fixture, `${a.location}/data-of-b/1.parquet`)
    await fixture.drop('b', { retention: 60_000 })
    expect(await fixture.run(await fixture.drop('a'))).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([b.root, data].toSorted())
  })

  it('has nothing left of it there when its purge is over', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await create(fixture, 'b', { 'write.data.path': `${fixture.base}/shared` })
    await fixture.run(await fixture.drop('b'))
    await create(fixture, 'c', { 'write.data.path': `${fixture.base}/shared` })
    await fixture.catalog.dropTable(identifier('c'))
    expect(await fixture.database.reader.selectFrom('places').selectAll().execute()).toEqual([])
  })

  it('shares the path with others, and each erases what its own metadata reaches', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const properties = { 'write.data.path': `${fixture.base}/shared` }
    const [mine, theirs] = [`${fixture.base}/shared/mine.parquet`, `${fixture.base}/shared/theirs.parquet`]
    await stray(fixture, mine)
    await stray(fixture, theirs)
    await fixture.table('t', { properties, borrowed: [mine] })
    const other = await fixture.table('other', { properties, borrowed: [theirs] })
    const failed = await fixture.drop('t')
    // Nobody is kept from the path by a purge that is not over.
    const another = await create(fixture, 'another', properties)
    expect(await fixture.run(failed)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([...all(other.files), theirs, another.root].toSorted())
  })

  it('keeps what a table that never wrote there has borrowed', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const shared = await stray(fixture, `${fixture.base}/shared/1.parquet`)
    const lender = await create(fixture, 'lender', { 'write.data.path': `${fixture.base}/shared` })
    await fixture.table('borrower', { borrowed: [shared] })
    const id = await fixture.drop('borrower')
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([lender.root, shared].toSorted())
    expect((await fixture.ledger.get(id))?.counts.data?.kept).toBe(1)
  })

  it('does not get files that are in a location of another for its own', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const lender = await fixture.table('lender')
    const properties = { 'write.data.path': `${fixture.location('lender')}/data` }
    await fixture.table('borrower', { properties, borrowed: lender.files.data })
    expect(await fixture.run(await fixture.drop('borrower'))).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual(all(lender.files).toSorted())
  })

  it.each(['write.metadata.path', 'write.data.path'])(
    'cannot begin to do so in the location of a purge that is not over: %s',
    async (property) => {
      await using fixture = await PurgeFixture.open(dialect)
      await create(fixture, 'b')
      const chosen = `${fixture.location('chosen')}`
      await create(fixture, 'a', {}, chosen)
      const id = await fixture.drop('a')
      const before = await fixture.files()
      const inside = { [property]: `${chosen}/of-others` }
      const refused = { status: 409, message: expect.stringContaining(id) }
      await expect(create(fixture, 'new', inside)).rejects.toMatchObject(refused)
      const commit = (change = setProperties(inside)) => fixture.catalog.commitTable(identifier('b'), change)
      await expect(commit()).rejects.toMatchObject(refused)
      await expect(commit(setLocation(`${chosen}/of-others`))).rejects.toMatchObject(refused)
      expect(await fixture.files()).toEqual(before)
      expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
      await commit()
      await create(fixture, 'new', inside)
    },
  )

  it('cannot be registered so in the location of a purge that is not over', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('a')
    const id = await fixture.drop('a')
    const properties = { 'write.data.path': `${fixture.location('a')}/of-others` }
    await expect(fixture.table('b', { properties })).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining(id),
    })
  })

  it('may name paths that no store here serves, or its own location', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await create(fixture, 'b', { 'write.data.path': 'hdfs://cluster/data' }, fixture.location('b'))
    const inside = {
      'write.data.path': `${fixture.location('b')}/data`,
      'write.object-storage.path': 'no/uri',
    }
    await fixture.catalog.commitTable(identifier('b'), setProperties(inside))
    expect(await fixture.database.reader.selectFrom('places').selectAll().execute()).toHaveLength(1)
  })
})

describe.each(dialects)('on %s, a root that was registered where it lies in another location', (dialect) => {
  async function withRootInside(fixture: PurgeFixture) {
    const a = await fixture.table('a')
    await fixture.own('a')
    const b = await fixture.tableAt('b', 'b')
    const root = `${fixture.location('a')}/metadata/of-b.metadata.json`
    await fixture.io.write(root, await fixture.io.read(b.purge.metadataLocation))
    await fixture.catalog.registerTable(['ns'], { name: 'b', metadataLocation: root, overwrite: true })
    return { a, b, root }
  }

  it('is not swept', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { b, root } = await withRootInside(fixture)
    expect(await fixture.run(await fixture.drop('a'))).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([...all(b.files), root].toSorted())
  })

  it('is not erased by location', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { a, root } = await withRootInside(fixture)
    const id = await fixture.drop('a')
    await fixture.io.write(a.purge.metadataLocation, Buffer.from('garbage'))
    await fixture.run(id)
    await fixture.ledger.retry(id, { byLocation: true })
    expect(await fixture.run(id)).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('overlaps'),
    })
    expect(await fixture.files()).toContain(root)
  })

  it('is not swept while its drop can be undone', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { b, root } = await withRootInside(fixture)
    await fixture.drop('b', { retention: 60_000 })
    expect(await fixture.run(await fixture.drop('a'))).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([...all(b.files), root].toSorted())
  })

  it('is not erased as a file that the metadata names', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const b = await fixture.table('b')
    const roots = [
      `${fixture.location('a')}/data/root.parquet`,
      `${fixture.base}/elsewhere/root.parquet`,
      `${fixture.base}/elsewhere/deeper/root.parquet`,
    ]
    const plain = await stray(fixture, `${fixture.base}/far/plain.parquet`)
    await fixture.table('a', { borrowed: [plain, ...roots] })
    for (const [index, root] of roots.entries()) {
      await fixture.io.write(root, await fixture.io.read(b.purge.metadataLocation))
      await fixture.register(`b${index}`, root)
    }
    const id = await fixture.drop('a')
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([...all(b.files), ...roots].toSorted())
    expect((await fixture.ledger.certificate(id))?.certificate.kept).toEqual({ 'root-of-live-table': 3 })
  })
})

describe.each(dialects)('on %s, a commit', (dialect) => {
  it('cannot take the UUID of a table that is being erased', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    const updates: JsonValue[] = [
      { action: 'assign-uuid', uuid: table.metadata.tableUuid! },
      { action: 'set-location', location: fixture.location('copy') },
      { action: 'add-schema', schema },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
    ]
    const make = () =>
      fixture.catalog.commitTable(identifier('copy'), change([{ type: 'assert-create' }], updates))
    await expect(make()).rejects.toMatchObject({ status: 409, message: expect.stringContaining(id) })
    await fixture.ledger.cancel(id)
    await make()
    expect(await fixture.catalog.tableExists(identifier('copy'))).toBe(true)
  })
})
