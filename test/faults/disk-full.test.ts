import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { FaultyServer, hasBegun, succeeded } from './faulty-server.ts'

/**
 * A small disk of its own for the database; undefined where this user may not mount one. With MOULIN_REQUIRE_ALL_SUITES=1 that is
 * an error.
 */
function smallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'moulin-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'pipe' })
    return folder
  } catch (error) {
    const reason = `a small disk cannot be mounted here: ${(error as Error).message}`
    if (process.env.MOULIN_REQUIRE_ALL_SUITES === '1') throw new Error(reason, { cause: error })
    console.warn(`skipped: ${reason}`)
    rmSync(folder, { recursive: true })
    return undefined
  }
}

const disk = smallDisk()

describe.skipIf(disk === undefined)('the disk of the SQLite database is full', () => {
  it('in the middle of a purge and at a drop: no drop without its purge, and it goes on when there is room', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-full-'))
    const server = await FaultyServer.start({
      databaseUrl: `sqlite:${disk}/catalog.db`,
      location: `file://${folder}/main`,
      storage: { type: 'local' },
      io: new LocalFileIO([folder]),
      filesPerSecond: 1_000,
    })
    const filler = join(disk!, 'filler')
    try {
      await server.table('big', { snapshots: 3, filesPerSnapshot: 1_500 })
      await server.table('small', { snapshots: 1, filesPerSnapshot: 1 })
      const big = (await server.drop('big')) as string
      await server.until(big, hasBegun)
      fill(filler)
      const more: string[] = []
      let answer = await server.drop('small')
      for (let tries = 0; tries < 50 && typeof answer === 'string'; tries++) {
        // There was room in the last page: use it up.
        await server.table(`more-${tries}`, { snapshots: 0 })
        more.push(`more-${tries}`)
        answer = await server.drop(`more-${tries}`)
      }
      expect(answer).toBeGreaterThanOrEqual(500)
      // Not dropped without a purge: whoever looks finds one or the other.
      const listed = await server.replica.call('GET', '/namespaces/ns/tables')
      const { identifiers } = (await listed.json()) as { identifiers: { name: string }[] }
      const living = new Set(identifiers.map((each) => each.name))
      const purged = new Set((await server.replica.purges()).map((each) => each.name))
      for (const name of ['big', 'small', ...more]) {
        expect([name, living.has(name), purged.has(name)]).toEqual([
          name,
          !purged.has(name),
          purged.has(name),
        ])
      }
      await sleep(2_500)
      rmSync(filler)
      await server.until(big, succeeded)
      const head = await server.replica.call('HEAD', '/namespaces/ns/tables/small')
      if (head.status !== 404) {
        const again = await server.drop('small')
        expect(again).toBeTypeOf('string')
        await server.until(again as string, succeeded)
      }
      for (let tries = 0; tries < 200 && (await leftovers(server)).length > 0; tries++) await sleep(50)
      expect(await leftovers(server)).toEqual([])
    } finally {
      await server.close()
      execFileSync('umount', [disk!])
      rmSync(disk!, { recursive: true, force: true })
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

/** Files of tables that live on are no leftovers. */
async function leftovers(server: FaultyServer): Promise<string[]> {
  const answer = await server.replica.call('GET', '/namespaces/ns/tables')
  const { identifiers } = (await answer.json()) as { identifiers: { name: string }[] }
  return (await server.files()).filter(
    (path) => !identifiers.some(({ name }) => path.includes(`/main/${name}/`)),
  )
}

function fill(path: string): void {
  const { bavail, bsize } = statfsSync(disk!)
  writeFileSync(path, Buffer.alloc(bavail * bsize))
}
