import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { createDatabase } from '../../src/testing/databases.ts'
import { startFauxqs } from '../../src/testing/stores/fauxqs.ts'
import type { PurgeAnswer } from '../chaos/replica.ts'
import { type Fault, startFaultyProxy } from '../storage/faulty-proxy.ts'
import { FaultyServer, hasBegun, s3Configuration, succeeded } from './faulty-server.ts'

/** Purges a table through a network that does as `fault` says, and checks that all of it is gone and accounted for. */
async function purgeThrough(
  fault: Fault,
  meanwhile: (server: FaultyServer, id: string) => Promise<void> = async () => undefined,
): Promise<PurgeAnswer> {
  const store = await startFauxqs()
  await store.createBucket('lake')
  const proxy = await startFaultyProxy(store.storage.endpoint, fault)
  await using database = await createDatabase('sqlite')
  const io = new S3FileIO(store.storage)
  const server = await FaultyServer.start({
    databaseUrl: database.url,
    location: 's3://lake/main',
    storage: s3Configuration(store.storage, proxy.endpoint),
    io,
    filesPerSecond: 5_000,
  })
  try {
    const neighbour = await server.table('neighbour', { snapshots: 1 })
    await server.table('t', { snapshots: 4, filesPerSnapshot: 1_500 })
    const id = (await server.drop('t')) as string
    await meanwhile(server, id)
    const purge = await server.until(id, succeeded)
    const { deleted = 0, absent = 0 } = purge.counts.data ?? {}
    expect(deleted + absent).toBe(4 * 1_500 + 4 * 2)
    expect(await server.files()).toEqual(Object.values(neighbour.files).flat().toSorted())
    return purge
  } finally {
    await server.close()
    await io.close()
    await proxy.close()
    await store.close()
  }
}

describe('the network to the store', () => {
  it('loses answers: what is done twice does no harm, and is counted once', async () => {
    let requests = 0
    let lost = 0
    await purgeThrough((method, url) => {
      requests++
      const isDelete = method === 'POST' && url.includes('delete')
      if (!(isDelete && requests % 3 === 0)) return requests % 11 === 0 ? 'half-answer' : undefined
      lost++
      return 'lose-answer'
    })
    expect(lost).toBeGreaterThan(0)
  })

  it('falls silent in the middle of a manifest and of an answer: both are given up, and the purge goes on by itself', async () => {
    const stalled: string[] = []
    await purgeThrough((method, url) => {
      const isChosen =
        (method === 'GET' && url.includes('.avro')) || (method === 'POST' && url.includes('delete'))
      if (!isChosen || stalled.includes(method)) return undefined
      stalled.push(method)
      return 'stall'
    })
    expect(stalled).toEqual(['GET', 'POST'])
  })

  it('is gone for a while: the purge waits, and goes on by itself', async () => {
    let down = false
    await purgeThrough(
      () => (down ? 'drop' : undefined),
      async (server, id) => {
        await server.until(id, hasBegun)
        down = true
        await server.until(id, ({ state }) => state === 'pending')
        await sleep(1_000)
        down = false
      },
    )
  })

  it('answers SlowDown for a while: the attempts are not used up', async () => {
    let slow = true
    setTimeout(() => {
      slow = false
    }, 4_000)
    const { attempts } = await purgeThrough((method, url) =>
      slow && method === 'POST' && url.includes('delete')
        ? { status: 503, body: '<Error><Code>SlowDown</Code><Message>slow</Message></Error>' }
        : undefined,
    )
    expect(attempts).toBe(1)
  })
})
