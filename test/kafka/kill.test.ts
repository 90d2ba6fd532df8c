import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FileIO } from '../../src/storage/file-io.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { createDatabase } from '../../src/testing/databases.ts'
import { startFauxqs, type TestStore } from '../../src/testing/stores/fauxqs.ts'
import { type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'
import { Replica } from '../chaos/replica.ts'
import { s3Configuration } from '../faults/faulty-server.ts'
import { toolchain } from '../interop/toolchain.ts'
import { Cluster } from './cluster.ts'
import { Troublemaker } from './troublemaker.ts'
import { WorkerProcess } from './worker-process.ts'

const jars = toolchain('MOULIN_TEST_KAFKA', 'kafka')
/** Data files, over all tables; the large size with MOULIN_KAFKA_FILES=300000. */
const files = Number(process.env.MOULIN_KAFKA_FILES ?? 20_000)
const tables = 10
const snapshots = 5
const workers = 3
/** Milliseconds between progress and the next kill, at most. */
const pause = 2_500
/** One kill in so many is the broker's. */
const brokerEvery = 5
/** Of one worker, so that there is something to kill. */
const filesPerSecond = Math.max(300, files / 50)
/** Milliseconds. */
const patience = Math.max(300_000, files * 5)

describe.skipIf(jars === undefined)('kill -9 of workers and broker', () => {
  let cluster: Cluster
  let store: TestStore
  let io: FileIO
  beforeAll(async () => {
    cluster = await Cluster.start(jars!)
    store = await startFauxqs()
    await store.createBucket('lake')
    io = new S3FileIO(store.storage)
  })
  afterAll(async () => {
    await io?.close()
    await store?.close()
    await cluster?.close()
  })

  const listed = async (location: string) => {
    const found = await Array.fromAsync(io.list(location))
    return found.map((file) => file.location).toSorted()
  }

  it(
    `${files} files of ${tables} tables, ${workers} workers: all erased, nothing else, no false success`,
    async () => {
      await using database = await createDatabase('postgres')
      const options = cluster.options({ taskEntries: 500, taskTimeout: '20s' })
      const location = 's3://lake/main'
      const configuration = {
        server: { port: 0 },
        database: { url: database.url },
        warehouses: { main: { location, storage: s3Configuration(store.storage) } },
        purge: {
          purger: 'kafka',
          options,
          filesPerSecond,
          leaseTimeout: '5s',
          pollInterval: '200ms',
          backoffBase: '100ms',
          backoffMax: '500ms',
          // A broker that is away costs attempts.
          maxAttempts: 1_000,
        },
        logging: { level: 'silent' },
      }
      const server = await Replica.start(configuration)
      const trouble = new Troublemaker(cluster, options)
      let running: WorkerProcess[] = []
      const kills = { worker: 0, broker: 0 }
      try {
        await server.call('POST', '/namespaces', { namespace: ['ns'] })
        const register = async (name: string, filesPerSnapshot: number): Promise<WrittenTable> => {
          const table = await writeTable(io, `${location}/${name}`, { snapshots, filesPerSnapshot })
          const body = { name, 'metadata-location': table.purge.metadataLocation }
          expect((await server.call('POST', '/namespaces/ns/register', body)).status).toBe(200)
          return table
        }
        const neighbour = await register('neighbour', 20)
        const names = Array.from({ length: tables }, (_, index) => `t${index}`)
        for (const name of names) await register(name, Math.ceil(files / tables / snapshots))
        running = await Promise.all(Array.from({ length: workers }, () => WorkerProcess.start(configuration)))
        const open = new Map<string, string>()
        for (const name of names) {
          const answer = await server.call('DELETE', `/namespaces/ns/tables/${name}?purgeRequested=true`)
          expect(answer.status).toBe(204)
          open.set(/purges\/([0-9a-f-]+)/.exec(answer.headers.get('link')!)![1]!, name)
        }
        const began = performance.now()
        const deadline = began + patience
        /** What the purges that are not over have got done; those that are over are taken off the list. */
        const look = async () => {
          const done: unknown[] = []
          for (const [id, name] of open) {
            const purge = await server.purge(id)
            const late = `${id} is ${purge.state}: ${purge['last-error']}`
            expect(performance.now(), late).toBeLessThan(deadline)
            expect(purge.state).not.toBe('failed')
            if (purge.state === 'succeeded') {
              expect(await listed(`${location}/${name}`), 'left when it was said to be erased').toEqual([])
              open.delete(id)
            } else done.push(purge.counts)
          }
          return JSON.stringify(done)
        }
        while (open.size > 0) {
          // A group that loses a member more often than it can share out the work anew gets nothing done.
          for (const before = await look(); open.size > 0 && (await look()) === before; ) await sleep(250)
          await sleep(Math.random() * pause)
          await trouble.trouble()
          if ((kills.worker + kills.broker) % brokerEvery === 1) {
            await cluster.broker.kill()
            kills.broker++
            await cluster.broker.start()
          } else {
            const victim = Math.floor(Math.random() * running.length)
            await running[victim]!.kill()
            kills.worker++
            running[victim] = await WorkerProcess.start(configuration)
          }
        }
        const seconds = Math.round((performance.now() - began) / 1_000)
        console.log(
          `${files} files of ${tables} tables erased in ${seconds} s, over ${kills.worker} kills of a worker and ${kills.broker} of the broker; ${trouble.sent} messages repeated or false`,
        )
        expect(kills.worker).toBeGreaterThan(0)
        expect(kills.broker).toBeGreaterThan(0)
        expect(trouble.sent).toBeGreaterThan(0)
        expect(await listed('s3://lake')).toEqual(Object.values(neighbour.files).flat().toSorted())
        for (const worker of running) expect(await worker.stop(), worker.printed).toBe(0)
      } finally {
        for (const worker of running) await worker.kill()
        await server.kill()
      }
    },
    patience + 300_000,
  )
})
