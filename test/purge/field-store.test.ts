/** A store that is not the table's is not taken for one from which everything is gone already. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { S3StorageOptions } from '../../src/storage/options.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { startFauxqs, type TestStore } from '../../src/testing/stores/fauxqs.ts'
import { freePort } from '../../src/testing/stores/free-port.ts'

const bucket = `lake-${randomUUID()}`

describe('3. a 404 on the root counts as success, even from', () => {
  let store: TestStore
  let empty: TestStore
  let bucketless: TestStore
  beforeAll(async () => {
    ;[store, empty, bucketless] = await Promise.all([startFauxqs(), startFauxqs(), startFauxqs()])
    await Promise.all([store.createBucket(bucket), empty.createBucket(bucket)])
  })
  afterAll(async () => {
    await Promise.all([store.close(), empty.close(), bucketless.close()])
  })

  it.each<[string, () => Promise<Partial<S3StorageOptions>>, 'failed' | 'pending', RegExp]>([
    ['another store with a bucket of this name', async () => empty.storage, 'failed', /root.*is missing/i],
    ['a store without the bucket', async () => bucketless.storage, 'pending', /bucket/i],
    [
      'an address where no store is',
      async () => ({ endpoint: `http://127.0.0.1:${await freePort()}` }),
      'pending',
      /does not answer|unreachable|ECONNREFUSED/i,
    ],
  ])('%s: no, and nothing is forgotten', async (_where, wrong, state, words) => {
    const io = new S3FileIO(store.storage)
    const astray = new S3FileIO({ ...store.storage, ...(await wrong()) })
    try {
      const location = `s3://${bucket}/${randomUUID()}`
      await using fixture = await PurgeFixture.open('sqlite', { io, location })
      const table = await fixture.table('t', { snapshots: 1 })
      const id = await fixture.drop('t')
      const end = await fixture.run(id, { io: astray, backoff: { base: 1, max: 1 } })
      expect(end).toMatchObject({ state, message: expect.stringMatching(words) })
      expect(await fixture.files()).toEqual(Object.values(table.files).flat().toSorted())
      if (state === 'failed') await fixture.ledger.retry(id)
      expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
      expect(await fixture.files()).toEqual([])
    } finally {
      await Promise.all([io.close(), astray.close()])
    }
  })
})
