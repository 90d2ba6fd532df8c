import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
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
/** Milliseconds in which nothing of a purge that is held may be erased. */
const heldFor = 500
/** Milliseconds that the fourth worker is away, or there: it takes a second or two to join. */
const longestAbsence = 10_000
const longestStay = 10_000
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
      const ledger = new Ledger(database.database)
      const terms = { taskEntries: 500, taskTimeout: '20s' }
      const options = cluster.options(terms)
      const workerOptions = cluster.options(terms)
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
        },
        logging: { level: 'silent' },
      }
      const workerConfiguration = {
        ...configuration,
        purge: { ...configuration.purge, options: workerOptions },
      }
      const startWorker = async () => await WorkerProcess.start(workerConfiguration)
      const server = await Replica.start(configuration)
      const trouble = new Troublemaker(cluster, options, workerOptions)
      let running: WorkerProcess[] = []
      const kills = { worker: 0, broker: 0 }
      let holds = 0
      const comingAndGoing = new AbortController()
      let rebalances = Promise.resolve(0)
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
        running = await Promise.all(Array.from({ length: workers }, startWorker))
        const open = new Map<string, string>()
        for (const name of names) {
          const answer = await server.call('DELETE', `/namespaces/ns/tables/${name}?purgeRequested=true`)
          expect(answer.status).toBe(204)
          open.set(/purges\/([0-9a-f-]+)/.exec(answer.headers.get('link')!)![1]!, name)
        }
        rebalances = joinAndLeave(startWorker, comingAndGoing.signal)
        /** Holds a purge that is at work until it stands still, and lets it go on. */
        const holdOne = async () => {
          const [id] = [...open.keys()].toSorted(() => Math.random() - 0.5)
          if (id === undefined || (await ledger.hold(id, 'wait').catch(() => undefined)) === undefined) return
          while ((await server.purge(id)).state !== 'held') await sleep(100)
          // A batch that was in flight comes to its end.
          await sleep(heldFor)
          const before = await listed(`${location}/${open.get(id)}`)
          await sleep(heldFor)
          expect(await listed(`${location}/${open.get(id)}`), 'erased while it was held').toEqual(before)
          await ledger.release(id)
          holds++
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
          await trouble.lie()
          await holdOne()
          if ((kills.worker + kills.broker) % brokerEvery === 1) {
            await cluster.broker.kill()
            kills.broker++
            await cluster.broker.start()
          } else {
            const victim = Math.floor(Math.random() * running.length)
            await running[victim]!.kill()
            kills.worker++
            running[victim] = await startWorker()
          }
        }
        comingAndGoing.abort()
        const times = await rebalances
        const seconds = Math.round((performance.now() - began) / 1_000)
        console.log(
          `${files} files of ${tables} tables erased in ${seconds} s, over ${kills.worker} kills of a worker and ${kills.broker} of the broker, ${times} times a fourth worker that joined and left, ${holds} holds; ${trouble.sent} messages repeated or false, ${trouble.lies} of them of the generation under way, ${trouble.overtaken} overtaken, ${trouble.lost} lost, ${trouble.redelivered} tasks published again`,
        )
        const { sent, lies, overtaken, lost, redelivered } = trouble
        const happened = { ...kills, times, holds, sent, lies, overtaken, lost, redelivered }
        for (const [what, count] of Object.entries(happened)) expect(count, what).toBeGreaterThan(0)
        expect(await listed('s3://lake')).toEqual(Object.values(neighbour.files).flat().toSorted())
        for (const worker of running) expect(await worker.stop(), worker.printed).toBe(0)
      } finally {
        comingAndGoing.abort()
        await rebalances.catch(() => undefined)
        await trouble.close()
        for (const worker of running) await worker.kill()
        await server.kill()
      }
    },
    patience + 300_000,
  )
})

/** Has one more worker join the group and leave it, so that the others share out their work anew, until it is told to stop. */
async function joinAndLeave(start: () => Promise<WorkerProcess>, signal: AbortSignal): Promise<number> {
  for (let times = 0; ; times++) {
    await sleep(Math.random() * longestAbsence, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return times
    const worker = await start()
    await sleep(longestStay * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined)
    const code = await worker.stop()
    if (code !== 0) throw new Error(`The worker that left ended with ${code}: ${worker.printed}`)
  }
}
