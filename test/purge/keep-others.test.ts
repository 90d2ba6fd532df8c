/** Whose files they are in an object store, where all that lies in a location of the purge may be free to go at once. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keepOthers } from '../../src/purge/keep-others.ts'
import type { Purge } from '../../src/purge/purger.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { startFauxqs, type TestStore } from '../../src/testing/stores/fauxqs.ts'
import { setProperties } from '../catalog/fixture.ts'

describe.each(dialects)('the keep rule in an object store, with the ledger on %s', (dialect) => {
  let store: TestStore
  let io: S3FileIO
  beforeAll(async () => {
    store = await startFauxqs()
    await store.createBucket('lake')
    io = new S3FileIO(store.storage)
  })
  afterAll(async () => {
    await io.close()
    await store.close()
  })

  const open = async () => await PurgeFixture.open(dialect, { io, location: `s3://lake/${randomUUID()}` })
  /** Drops a table, and asks what of some paths is kept. */
  const asking = async (fixture: PurgeFixture, name: string, purge: Purge) => {
    const dropped = { ...purge, id: await fixture.drop(name) }
    return keepOthers(fixture.database.reader, dropped)
  }

  it('frees what lies in its location, in however many folders, and keeps what lies in those of others', async () => {
    await using fixture = await open()
    const other = await fixture.table('other')
    const { purge } = await fixture.table('t')
    const keep = await asking(fixture, 't', purge)
    const hashed = Array.from(
      { length: 500 },
      (_, index) => `${fixture.location('t')}/data/${index}/1.parquet`,
    )
    const foreign = other.files.data[0]!
    const beside = `${fixture.location('t2')}/data/1.parquet`
    expect(await keep([...hashed, foreign, beside, hashed[0]!])).toEqual([
      ...hashed.map(() => undefined),
      'inside-live-table',
      undefined,
      undefined,
    ])
  })

  it('keeps what lies in a table inside of its location', async () => {
    await using fixture = await open()
    const inner = await fixture.table('t/inner')
    const { purge, files } = await fixture.table('t')
    const keep = await asking(fixture, 't', purge)
    expect(await keep([files.data[0]!, inner.files.data[0]!, files.data[1]!])).toEqual([
      undefined,
      'inside-live-table',
      undefined,
    ])
  })

  it('keeps what lies where another table writes, inside of its location', async () => {
    await using fixture = await open()
    const { purge, files } = await fixture.table('t')
    await fixture.table('other')
    const path = `${fixture.location('t')}/of-other`
    await fixture.catalog.commitTable(
      { namespace: ['ns'], name: 'other' },
      setProperties({ 'write.data.path': path }),
    )
    const keep = await asking(fixture, 't', purge)
    expect(await keep([files.data[0]!, `${path}/1.parquet`])).toEqual([undefined, 'inside-live-table'])
  })

  it('keeps the root of another table inside of its location, be it among its own files', async () => {
    await using fixture = await open()
    const { purge, files } = await fixture.table('t')
    const other = await fixture.table('other')
    const root = `${fixture.location('t')}/root.metadata.json`
    await io.write(root, await io.read(other.purge.metadataLocation))
    await fixture.catalog.registerTable(['ns'], { name: 'other', metadataLocation: root, overwrite: true })
    const keep = await asking(fixture, 't', purge)
    expect(await keep([root, files.data[0]!])).toEqual(['root-of-live-table', undefined])
  })
})
