import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { launchPostgres } from '../../src/testing/databases.ts'
import { FaultyServer, hasBegun, succeeded } from './faulty-server.ts'

it('PostgreSQL is restarted in the middle of a purge and of drops: nothing is lost, and it goes on by itself', async () => {
  const postgres = await launchPostgres()
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await postgres.createDatabase(name)
  const folder = mkdtempSync(join(tmpdir(), 'moulin-restart-'))
  const server = await FaultyServer.start({
    databaseUrl: postgres.url(name),
    location: `file://${folder}/main`,
    storage: { type: 'local' },
    io: new LocalFileIO([folder]),
    filesPerSecond: 1_000,
  })
  try {
    await server.table('big', { snapshots: 3, filesPerSnapshot: 1_500 })
    const small = Array.from({ length: 40 }, (_, index) => `small-${index}`)
    for (const each of small) await server.table(each, { snapshots: 1, filesPerSnapshot: 1 })
    const big = (await server.drop('big')) as string
    await server.until(big, hasBegun)

    const restarting = postgres.stop().then(async () => {
      await sleep(1_500)
      await postgres.start()
    })
    const ids: string[] = [big]
    const refused: string[] = []
    for (const each of small) {
      const dropped = await server.drop(each)
      if (typeof dropped === 'string') ids.push(dropped)
      else {
        // The client knows that it does not know: it may have been done.
        expect(dropped).toBeGreaterThanOrEqual(500)
        refused.push(each)
      }
      await sleep(20)
    }
    await restarting
    expect(refused.length, 'drops that met the outage').toBeGreaterThan(0)
    for (const id of ids) await server.until(id, succeeded)
    for (const each of refused) {
      const answer = await server.drop(each)
      if (typeof answer === 'string') await server.until(answer, succeeded)
      else expect(answer, `${each}: dropped before its answer was lost`).toBe(404)
    }
    for (let tries = 0; tries < 200 && (await server.files()).length > 0; tries++) await sleep(50)
    expect(await server.files()).toEqual([])
    // The restart costs no attempt: what the database did not take was told to it again.
    expect(await server.replica.purge(big)).toMatchObject({ attempts: 1 })
  } finally {
    await server.close()
    await postgres.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})
