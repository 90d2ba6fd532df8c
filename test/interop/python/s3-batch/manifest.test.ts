import { createHash } from 'node:crypto'
import { HeadObjectCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ObjectName, writeManifests } from '../../../../src/purge/purgers/s3-batch/manifest.ts'
import { type Connection, connect } from '../../../../src/storage/s3/client.ts'
import { S3FileIO } from '../../../../src/storage/s3/s3-file-io.ts'
import { type SeaweedFS, startSeaweedFS } from '../../../../src/testing/stores/seaweedfs.ts'
import { toolchain } from '../../toolchain.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')
/** Some parts of an upload. */
const rows = 400_000
const portion = 1_000

async function* objects(buckets: readonly string[], fail?: number): AsyncGenerator<ObjectName[]> {
  for (let from = 0; from < rows; from += portion) {
    if (from === fail) throw new Error('a manifest of the table is missing')
    yield Array.from({ length: portion }, (_, index) => ({
      bucket: buckets[(from + index) % buckets.length]!,
      key: `warehouse/ns/table/data/day=2026-11-23/${from + index}.parquet`,
    }))
  }
}

describe.skipIf(python === undefined)('a manifest for S3 Batch Operations', () => {
  let store: SeaweedFS
  let connection: Connection
  let io: S3FileIO
  beforeAll(async () => {
    store = await startSeaweedFS(python!)
    await store.createBucket('manifests')
    connection = await connect(store.storage)
    io = new S3FileIO(store.storage)
  })
  afterAll(async () => {
    connection?.client.destroy()
    await io?.close()
    await store?.close()
  })

  it('is written in parts, one for each bucket, and known by its ETag', async () => {
    const begun: string[] = []
    const written = await writeManifests(
      connection,
      's3://manifests/m',
      objects(['one', 'two']),
      async (bucket) => {
        begun.push(bucket)
      },
    )
    expect(begun).toEqual(['one', 'two'])
    const digests = { one: createHash('sha256'), two: createHash('sha256') }
    for await (const some of objects(['one', 'two'])) {
      for (const { bucket, key } of some) {
        digests[bucket as 'one'].update(`${bucket},${key.replaceAll('=', '%3D')}\n`)
      }
    }
    for (const { bucket, location, etag, objects: count } of written) {
      expect(count).toBe(rows / 2)
      expect(location).toBe(`s3://manifests/m/${bucket}.csv`)
      const { ETag } = await store.client.send(
        new HeadObjectCommand({ Bucket: 'manifests', Key: `m/${bucket}.csv` }),
      )
      expect(ETag).toBe(`"${etag}"`)
      expect(etag).toMatch(/-\d+$/)
      const digest = createHash('sha256')
      for await (const chunk of io.readStream(location)) digest.update(chunk)
      expect(digest.digest('hex')).toBe(digests[bucket as 'one'].digest('hex'))
    }
  })

  it('leaves nothing when the table cannot be read to its end', async () => {
    const writing = writeManifests(connection, 's3://manifests/n', objects(['one'], 300_000), async () => {})
    await expect(writing).rejects.toThrow('a manifest of the table is missing')
    const { Uploads } = await store.client.send(new ListMultipartUploadsCommand({ Bucket: 'manifests' }))
    expect(Uploads ?? []).toEqual([])
    expect(await Array.fromAsync(io.list('s3://manifests/n'))).toEqual([])
  })

  it('says where it could not be written', async () => {
    const stranger = await connect({ ...store.storage, secretAccessKey: 'wrong' })
    const writing = writeManifests(stranger, 's3://manifests/p', objects(['one']), async () => {})
    await expect(writing).rejects.toThrow(
      'The object store refuses access (SignatureDoesNotMatch): s3://manifests/p/one.csv',
    )
    stranger.client.destroy()
  })

  it('is not written for files in more buckets than a table has', async () => {
    const many = Array.from({ length: 21 }, (_, index) => `bucket-${index}`)
    const writing = writeManifests(connection, 's3://manifests/o', objects(many), async () => {})
    await expect(writing).rejects.toThrow('more than 20 buckets')
    expect(await Array.fromAsync(io.list('s3://manifests/o'))).toEqual([])
  })
})
