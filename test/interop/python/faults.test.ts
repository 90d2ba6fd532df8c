import {
  CreateBucketCommand,
  DeleteBucketPolicyCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectLegalHoldCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Ledger } from '../../../src/purge/ledger/ledger.ts'
import { S3FileIO } from '../../../src/storage/s3/s3-file-io.ts'
import { createDatabase } from '../../../src/testing/databases.ts'
import { PurgeFixture } from '../../../src/testing/purge-fixture.ts'
import { type SeaweedFS, startSeaweedFS } from '../../../src/testing/stores/seaweedfs.ts'
import { FaultyServer, hasBegun, s3Configuration, succeeded } from '../../faults/faulty-server.ts'
import { toolchain } from '../toolchain.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')

describe.skipIf(python === undefined)('faults of a real S3 server (SeaweedFS)', () => {
  let store: SeaweedFS
  let io: S3FileIO
  beforeAll(async () => {
    store = await startSeaweedFS(python!)
    io = new S3FileIO(store.storage)
  })
  afterAll(async () => {
    await io?.close()
    await store?.close()
  })

  const serve = async (
    bucket: string,
    databaseUrl: string,
    storage = store.storage,
    versions: 'current' | 'all' = 'current',
  ) =>
    await FaultyServer.start({
      databaseUrl,
      location: `s3://${bucket}/main`,
      storage: s3Configuration(storage),
      io,
      filesPerSecond: 1_000,
      versions,
    })

  it('is killed and started again in the middle of a purge', async () => {
    await store.createBucket('outage')
    await using database = await createDatabase('postgres')
    const server = await serve('outage', database.url)
    try {
      const neighbour = await server.table('neighbour', { snapshots: 1 })
      await server.table('t', { snapshots: 4, filesPerSnapshot: 1_500 })
      const id = (await server.drop('t')) as string
      await server.until(id, hasBegun)
      await store.stop()
      const waiting = await server.until(id, ({ state }) => state === 'pending')
      expect(waiting['last-error']).toBeDefined()
      await store.start()
      await server.until(id, succeeded)
      expect(await server.files()).toEqual(Object.values(neighbour.files).flat().toSorted())
    } finally {
      await server.close()
    }
  })

  it('3. a 404 on the root counts as success: refused credentials are an error, and the purge goes on with right ones', async () => {
    await store.createBucket('keys')
    const strange = new S3FileIO({ ...store.storage, secretAccessKey: 'another' })
    try {
      await using fixture = await PurgeFixture.open('sqlite', { io, location: 's3://keys' })
      const table = await fixture.table('t', { snapshots: 1 })
      const id = await fixture.drop('t')
      const end = await fixture.run(id, { io: strange, backoff: { base: 1, max: 1 } })
      expect(end).toMatchObject({ state: 'pending', message: expect.stringMatching(/Signature|credential/i) })
      expect(end.message).not.toContain('another')
      expect(await fixture.files()).toEqual(Object.values(table.files).flat().toSorted())
      expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    } finally {
      await strange.close()
    }
  })

  it('takes the permission to delete away for a prefix: named, and erased once it is given back', async () => {
    const { client } = store
    await store.createBucket('guarded')
    await using database = await createDatabase('sqlite')
    const server = await serve('guarded', database.url, store.aliceStorage)
    const policy = (effect: 'Deny' | 'Allow', resource: string, action: string) => ({
      Effect: effect,
      Principal: '*',
      Action: action,
      Resource: resource,
    })
    const deny = {
      Version: '2012-10-17',
      Statement: [policy('Deny', 'arn:aws:s3:::guarded/main/t/data/p=1/*', 's3:DeleteObject')],
    }
    try {
      const table = await server.table('t', { snapshots: 2, filesPerSnapshot: 30 })
      await client.send(new PutBucketPolicyCommand({ Bucket: 'guarded', Policy: JSON.stringify(deny) }))
      const id = (await server.drop('t')) as string
      const failed = await server.until(id, ({ state }) => state === 'failed')
      const locked = table.files.data.filter((path) => path.includes('/p=1/')).toSorted()
      expect(failed.failures.map(({ path, outcome }) => [outcome, path])).toEqual(
        locked.map((path) => ['blocked', path]),
      )
      // The leaves that may go are gone; the parents are all there.
      const parents = ['manifests', 'manifest-lists', 'statistics', 'metadata', 'root'] as const
      expect(await server.files()).toEqual(
        [...locked, ...parents.flatMap((stage) => table.files[stage])].toSorted(),
      )
      await client.send(new DeleteBucketPolicyCommand({ Bucket: 'guarded' }))
      await server.replica.retry(id)
      const purge = await server.until(id, succeeded)
      expect(purge.failures).toEqual([])
      expect(purge.counts.data?.deleted).toBe(table.files.data.length)
      expect(await server.files()).toEqual([])
    } finally {
      await server.close()
    }
  })

  it('locks objects: a deletion hides them, and the certificate says what that means', async () => {
    await store.client.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }))
    await using database = await createDatabase('sqlite')
    const server = await serve('locked', database.url)
    try {
      await server.table('t', { snapshots: 1 })
      const id = (await server.drop('t')) as string
      await server.until(id, succeeded)
      expect(await server.files()).toEqual([])
      const sealed = await new Ledger(database.database).certificate(id)
      expect(sealed?.certificate.store).toEqual({
        's3://locked': { versioning: 'enabled', 'object-lock': 'enabled' },
      })
    } finally {
      await server.close()
    }
  })

  describe('a bucket that keeps versions', () => {
    const versionsOf = async (bucket: string) => {
      const { Versions = [], DeleteMarkers = [] } = await store.client.send(
        new ListObjectVersionsCommand({ Bucket: bucket, Prefix: 'main/t/' }),
      )
      return [...Versions, ...DeleteMarkers].map(({ Key }) => `s3://${bucket}/${Key}`).toSorted()
    }

    it('25. nothing is erased: with `versions: all` every version and marker is', async () => {
      await store.createBucket('versioned')
      const versioning = { Bucket: 'versioned', VersioningConfiguration: { Status: 'Enabled' as const } }
      await store.client.send(new PutBucketVersioningCommand(versioning))
      await using database = await createDatabase('sqlite')
      const server = await serve('versioned', database.url, store.storage, 'all')
      try {
        const neighbour = await server.table('t2', { snapshots: 1 })
        const table = await server.table('t', { snapshots: 2, filesPerSnapshot: 600 })
        const [overwritten, removed] = table.files.data as [string, string]
        await io.write(overwritten, Buffer.from('again'))
        await io.deleteFiles([removed])
        const files = Object.values(table.files).flat().length
        const id = (await server.drop('t')) as string
        const purge = await server.until(id, succeeded)
        expect(await versionsOf('versioned')).toEqual([])
        expect(await server.files()).toEqual(Object.values(neighbour.files).flat().toSorted())
        // One version and one marker of each; one was overwritten, and one had its marker before.
        expect(purge.counts.versions?.deleted).toBeGreaterThanOrEqual(2 * files)
        const sealed = await new Ledger(database.database).certificate(id)
        expect(sealed?.certificate.verification[0]?.versions).toBe(purge.counts.versions?.deleted)
      } finally {
        await server.close()
      }
    })

    it('and locks objects: those are blocked and named, and erased when the lock is gone', async () => {
      await store.client.send(new CreateBucketCommand({ Bucket: 'kept', ObjectLockEnabledForBucket: true }))
      await using database = await createDatabase('sqlite')
      const server = await serve('kept', database.url, store.storage, 'all')
      try {
        const table = await server.table('t', { snapshots: 1, filesPerSnapshot: 20 })
        const locked = table.files.data[7]!
        const hold = async (Status: 'ON' | 'OFF') => {
          const versions = await store.client.send(
            new ListObjectVersionsCommand({ Bucket: 'kept', Prefix: locked.replace('s3://kept/', '') }),
          )
          const [{ Key, VersionId } = {}] = versions.Versions ?? []
          const command = { Bucket: 'kept', Key, VersionId, LegalHold: { Status } }
          await store.client.send(new PutObjectLegalHoldCommand(command))
        }
        await hold('ON')
        const id = (await server.drop('t')) as string
        const failed = await server.until(id, ({ state }) => state === 'failed')
        expect(failed.failures.map(({ path, stage, outcome }) => [path, stage, outcome])).toEqual([
          [locked, 'versions', 'blocked'],
        ])
        expect(await versionsOf('kept')).toContain(locked)
        await hold('OFF')
        await server.replica.retry(id)
        const purge = await server.until(id, succeeded)
        expect(purge.failures).toEqual([])
        expect(await versionsOf('kept')).toEqual([])
      } finally {
        await server.close()
      }
    })
  })
})
