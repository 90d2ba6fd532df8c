import { randomUUID } from 'node:crypto'
import {
  CreateBucketCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileAccessError } from '../../../src/storage/file-io.ts'
import { S3FileIO } from '../../../src/storage/s3/s3-file-io.ts'
import { fileIOContract } from '../../../src/testing/file-io-contract.ts'
import { startSeaweedFS } from '../../../src/testing/stores/seaweedfs.ts'
import { toolchain } from '../toolchain.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')

describe.skipIf(python === undefined)('S3 (SeaweedFS)', () => {
  let store: Awaited<ReturnType<typeof startSeaweedFS>>
  beforeAll(async () => {
    store = await startSeaweedFS(python!)
    await store.createBucket('bucket')
  })
  afterAll(() => store.close())

  fileIOContract({ describe, it }, async () => {
    const io = new S3FileIO(store.storage)
    return { io, root: `s3://bucket/${randomUUID()}`, close: () => io.close() }
  })

  it('refuses wrong credentials everywhere, and never takes them for absence', async () => {
    const io = new S3FileIO({ ...store.storage, secretAccessKey: 'wrong' })
    await expect(io.read('s3://bucket/x')).rejects.toThrow(FileAccessError)
    await expect(io.stat('s3://bucket/x')).rejects.toThrow(FileAccessError)
    await expect(io.deleteFiles(['s3://bucket/x'])).rejects.toThrow(FileAccessError)
    await expect(io.write('s3://bucket/x', Buffer.from('x'))).rejects.toThrow(FileAccessError)
    await io.close()
  })

  it('reports what object lock protects as blocked, and erases its neighbours', async () => {
    const { client } = store
    await client.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }))
    const io = new S3FileIO(store.storage)
    await io.write('s3://locked/free', Buffer.from('x'))
    const { VersionId } = await client.send(
      new PutObjectCommand({ Bucket: 'locked', Key: 'held', Body: 'x' }),
    )
    await client.send(
      new PutObjectRetentionCommand({
        Bucket: 'locked',
        Key: 'held',
        VersionId,
        Retention: { Mode: 'COMPLIANCE', RetainUntilDate: new Date(Date.now() + 3_600_000) },
      }),
    )
    // In a versioned bucket a deletion without a version only hides: the lock does not forbid that.
    const [free] = await io.deleteFiles(['s3://locked/free'])
    expect(free).toEqual({ outcome: 'deleted' })
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
