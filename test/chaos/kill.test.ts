import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { createDatabase } from '../../src/testing/databases.ts'
import { type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'
import { Replica } from './replica.ts'

/** Kills of one run; more with MOULIN_KILLS. */
const kills = Number(process.env.MOULIN_KILLS ?? 10)
const leaseTimeout = 1_000

describe.each([
  ['postgres', 2],
  ['sqlite', 1],
] as const)('kill -9 on %s, %i at work', (dialect, replicas) => {
  it('at random moments loses nothing, erases nothing else, and claims no false success', async () => {
    const database = await createDatabase(dialect)
    const folder = mkdtempSync(join(tmpdir(), 'moulin-kill-'))
    const io = new LocalFileIO([folder])
    const ledger = new Ledger(database.database)
    const configuration = {
      server: { port: 0 },
      database: { url: database.url },
      warehouses: { main: { location: join(folder, 'main'), purge: { purger: 'sql-async' } } },
      purge: {
        leaseTimeout: `${leaseTimeout}ms`,
        pollInterval: '100ms',
        backoffBase: '10ms',
        backoffMax: '50ms',
      },
      logging: { level: 'silent' },
    }
    const running = await Promise.all(Array.from({ length: replicas }, () => Replica.start(configuration)))
    try {
      const neighbour = await register(running[0]!, io, folder, 'neighbour')
      await running[0]!.call('POST', '/namespaces', { namespace: ['ns'] })
      const ids: string[] = []
      for (let kill = 0; kill < kills; kill++) {
        const replica = running[kill % replicas]!
        const name = `t-${randomUUID()}`
        await register(replica, io, folder, name)
        // The one that is told of a drop begins with it; the other has to take it up.
        const answer = await replica.call('DELETE', `/namespaces/ns/tables/${name}?purgeRequested=true`)
        expect(answer.status).toBe(204)
        ids.push(/purges\/([0-9a-f-]+)/.exec(answer.headers.get('link')!)![1]!)
        await sleep(Math.random() * 120)
        await replica.kill()
        running[kill % replicas] = await Replica.start(configuration)
      }
      let interrupted = 0
      const deadline = performance.now() + 60_000
      for (const id of ids) {
        for (;;) {
          const record = await ledger.get(id)
          expect(record, 'a purge that was answered with 204').toBeDefined()
          // A purge that was cut off five times is failed, as it should be, and tried again by hand.
          if (record!.state === 'failed') await ledger.retry(id)
          if (record!.state === 'succeeded') {
            if (record!.attempts > 1) interrupted++
            break
          }
          expect(performance.now(), `${id} is ${record!.state}`).toBeLessThan(deadline)
          await sleep(50)
        }
      }
      console.log(
        `${dialect}: ${kills} kills, ${interrupted} of ${ids.length} purges cut off and taken up again`,
      )
      expect(interrupted, 'kills that hit a purge at work').toBeGreaterThan(0)
      const left: string[] = []
      for await (const file of io.list(`file://${folder}`)) left.push(file.location)
      expect(left.toSorted()).toEqual(Object.values(neighbour.files).flat().toSorted())
    } finally {
      await Promise.all(running.map((replica) => replica.kill()))
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

async function register(
  replica: Replica,
  io: LocalFileIO,
  folder: string,
  name: string,
): Promise<WrittenTable> {
  await replica.call('POST', '/namespaces', { namespace: ['ns'] })
  const options = { snapshots: 3, filesPerSnapshot: 250 }
  const table = await writeTable(io, `file://${folder}/main/${name}`, options)
  const body = { name, 'metadata-location': table.purge.metadataLocation }
  const answer = await replica.call('POST', '/namespaces/ns/register', body)
  expect(answer.status).toBe(200)
  return table
}
