import { randomUUID } from 'node:crypto'
import {
  CreateBucketCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileAccessError } from '../../../src/storage/file-io.ts'
import { S3FileIO } from '../../../src/storage/s3/s3-file-io.ts'
import { fileIOContract } from '../../../src/testing/file-io-contract.ts'
import { type SeaweedFS, startSeaweedFS } from '../../../src/testing/stores/seaweedfs.ts'
import { toolchain } from '../toolchain.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')

describe.skipIf(python === undefined)('S3 (SeaweedFS)', () => {
  let store: SeaweedFS
  beforeAll(async () => {
    store = await startSeaweedFS(python!)
    await store.createBucket('bucket')
  })
  afterAll(() => store?.close())

  fileIOContract({ describe, it }, async () => {
    const io = new S3FileIO(store.storage)
    return { io, root: `s3://bucket/${randomUUID()}`, close: () => io.close() }
  })

  it.each([
    ['secret', { secretAccessKey: 'wrong' }],
    ['access key', { accessKeyId: 'nobody' }],
  ])('refuses a wrong %s everywhere, and never takes it for absence', async (_, wrong) => {
    const io = new S3FileIO({ ...store.storage, ...wrong })
    await expect(io.read('s3://bucket/x')).rejects.toThrow(FileAccessError)
    await expect(io.stat('s3://bucket/x')).rejects.toThrow(FileAccessError)
    await expect(Array.fromAsync(io.list('s3://bucket/x'))).rejects.toThrow(FileAccessError)
    await expect(io.deleteFiles(['s3://bucket/x'])).rejects.toThrow(FileAccessError)
    await expect(io.deleteFiles(['s3://bucket/\u0001'])).rejects.toThrow(FileAccessError)
    await expect(io.write('s3://bucket/x', Buffer.from('x'))).rejects.toThrow(FileAccessError)
    await io.close()
  })

  it('hides a locked object as the protocol wants, and leaves its version to the lock', async () => {
    const { client } = store
    await client.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }))
    const { VersionId } = await client.send(
      new PutObjectCommand({ Bucket: 'locked', Key: 'held', Body: 'x' }),
    )
    const Retention = { Mode: 'COMPLIANCE', RetainUntilDate: new Date(Date.now() + 3_600_000) } as const
    await client.send(new PutObjectRetentionCommand({ Bucket: 'locked', Key: 'held', VersionId, Retention }))
    const io = new S3FileIO(store.storage)
    // A deletion without a version puts a marker on top: no lock forbids that, on S3 neither.
    expect(await io.deleteFiles(['s3://locked/held'])).toEqual([{ outcome: 'deleted' }])
    expect(await io.stat('s3://locked/held')).toBeUndefined()
    const left = await client.send(new ListObjectVersionsCommand({ Bucket: 'locked' }))
    expect(left.Versions?.map((version) => version.VersionId)).toEqual([VersionId])
    await io.close()
  })

  it('reports what a bucket policy denies as blocked, key by key', async () => {
    const { client } = store
    await client.send(new CreateBucketCommand({ Bucket: 'guarded' }))
    const io = new S3FileIO(store.storage)
    for (const key of ['open/a', 'shut/a', 'open/b']) await io.write(`s3://guarded/${key}`, Buffer.from('x'))
    const policy = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:DeleteObject',
          Resource: 'arn:aws:s3:::guarded/shut/*',
        },
      ],
    }
    await client.send(new PutBucketPolicyCommand({ Bucket: 'guarded', Policy: JSON.stringify(policy) }))
    const alice = new S3FileIO(store.aliceStorage)
    const outcomes = await alice.deleteFiles([
      's3://guarded/open/a',
      's3://guarded/shut/a',
      's3://guarded/open/b',
    ])
    expect(outcomes).toMatchObject([
      { outcome: 'deleted' },
      { outcome: 'blocked', code: 'AccessDenied' },
      { outcome: 'deleted' },
    ])
    await io.close()
    await alice.close()
  })
})
