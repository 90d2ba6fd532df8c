import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkpointOf } from '../../src/purge/checkpoint.ts'
import { doomedData, StillThereError, verifyErased } from '../../src/purge/elsewhere/erased-elsewhere.ts'
import { eraseReach } from '../../src/purge/erase-reach.ts'
import type { Purge } from '../../src/purge/purger.ts'
import type { FileIO } from '../../src/storage/file-io.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { testRun } from '../../src/testing/purge-run.ts'
import { startFauxqs, type TestStore } from '../../src/testing/stores/fauxqs.ts'
import { writeTable } from '../../src/testing/table-writer/table.ts'

let store: TestStore
let folder: string
beforeAll(async () => {
  store = await startFauxqs()
  await store.createBucket('bucket')
  folder = mkdtempSync(join(tmpdir(), 'moulin-elsewhere-'))
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

const stores: readonly [string, () => { io: FileIO; root: string }][] = [
  ['local', () => ({ io: new LocalFileIO([folder]), root: `file://${folder}/${randomUUID()}` })],
  ['s3', () => ({ io: new S3FileIO(store.storage), root: `s3://bucket/${randomUUID()}` })],
]

describe.each(stores)('a data stage that is done elsewhere, on %s', (_, open) => {
  const shape = { snapshots: 3, filesPerSnapshot: 40 }
  const left = async (io: FileIO, root: string) => {
    const files = await Array.fromAsync(io.list(root))
    return files.map(({ location }) => location).toSorted()
  }

  it('has the files that the manifests name, but for those that a rule keeps', async () => {
    const { io, root } = open()
    const lender = await writeTable(io, `${root}/lender`)
    const borrowed = lender.files.data.slice(0, 2)
    const table = await writeTable(io, `${root}/t`, { ...shape, borrowed })
    const keep = async (paths: readonly string[]) =>
      paths.map((path) => (path.startsWith(`${root}/lender/`) ? 'inside-live-table' : undefined))
    const doomed = (await Array.fromAsync(doomedData(table.purge, testRun(io, { keep })))).flat()
    expect([...new Set(doomed.map(({ path }) => path))].toSorted()).toEqual(table.files.data.toSorted())

    const owned = await writeTable(io, `${root}/kept`, { ...shape, properties: { 'gc.enabled': 'false' } })
    expect(await Array.fromAsync(doomedData(owned.purge, testRun(io)))).toEqual([])
    await io.close()
  })

  it('is not believed as long as a file is there', async () => {
    const { io, root } = open()
    const table = await writeTable(io, `${root}/t`, shape)
    const [first, ...others] = table.files.data as [string, ...string[]]
    await io.deleteFiles(others)
    const run = testRun(io)
    const closing = eraseReach(table.purge, run, { data: verifyErased(table.purge) })
    await expect(closing).rejects.toThrow(StillThereError)
    await expect(closing).rejects.toMatchObject({ examples: [first] })
    const { deleted = 0 } = run.tally().counts.data ?? {}
    expect(deleted).toBeLessThan(table.files.data.length)
    const parents = Object.entries(table.files).flatMap(([stage, files]) => (stage === 'data' ? [] : files))
    expect(await left(io, root)).toEqual([first, ...parents].toSorted())
    await io.close()
  })

  it('is believed when all are gone: the parents go, and the account is that of any other purge', async () => {
    const { io, root } = open()
    const table = await writeTable(io, `${root}/t`, shape)
    await io.deleteFiles(table.files.data)
    const [elsewhere, here] = [testRun(io), testRun(io)]
    await eraseReach(table.purge, elsewhere, { data: verifyErased(table.purge) })
    expect(await left(io, root)).toEqual([])
    const twin = await writeTable(io, `${root}/t`, shape)
    await eraseReach(twin.purge, here)
    const counted = (run: typeof here) => run.tally().counts.data
    const { deleted = 0, absent = 0 } = counted(here) ?? {}
    expect(counted(elsewhere)).toEqual({ deleted: deleted + absent })
    expect(checkpointOf(elsewhere.checkpoint).paths?.entries).toBe(
      checkpointOf(here.checkpoint).paths?.entries,
    )
    await io.close()
  })

  it('repeats what was tried here before, and nothing that an engine has only told', async () => {
    const { io, root } = open()
    const table = await writeTable(io, `${root}/t`, shape)
    const stranger = await writeTable(io, `${root}/stranger`)
    const [tried, ...others] = table.files.data as [string, ...string[]]
    await io.deleteFiles(others)
    const run = testRun(io)
    const failure = { stage: 'data', outcome: 'failed', code: 'X', message: 'm' } as const
    run.save(run.checkpoint, { failures: [{ ...failure, path: tried }], own: true })
    const told = [tried, ...stranger.files.data, table.files.root[0]!]
    run.save(run.checkpoint, { failures: told.map((path) => ({ ...failure, path })) })
    await eraseReach(table.purge, run, { data: verifyErased(table.purge) })
    expect(await left(io, root)).toEqual(Object.values(stranger.files).flat().toSorted())
    await io.close()
  })

  it('counts as absent what the engine has not deleted', async () => {
    const { io, root } = open()
    const table = await writeTable(io, `${root}/t`, shape)
    await io.deleteFiles(table.files.data)
    const run = testRun(io)
    await eraseReach(table.purge, run, {
      data: verifyErased(table.purge, { deleted: 100, bytes: undefined }),
    })
    const { entries = 0 } = checkpointOf(run.checkpoint).paths ?? {}
    expect(run.tally().counts.data).toEqual({ deleted: 100, absent: entries - 100 })
    await io.close()
  })
})

describe('looking for files where others lie', () => {
  const files = 3_000
  const info = (location: string) => ({ location, size: 1, modifiedAt: 0 })
  /** A store that has nothing but these, and what asking costs. */
  const looked = async (listed: readonly string[], there: readonly string[] = []) => {
    const asked = { stats: 0, listed: 0 }
    const io = forwardFileIO(new S3FileIO(store.storage), {
      stat: async (location) => {
        asked.stats++
        return there.includes(location) ? info(location) : undefined
      },
      async *list() {
        for (const location of [...listed, ...there]) {
          asked.listed++
          yield info(location)
        }
      },
    })
    const purge = { locations: [{ location: 's3://b/t', owned: true }] } as unknown as Purge
    const paths = Array.from({ length: files }, (_, index) => `s3://b/t/data/${index}.parquet`)
    const portion = { files: paths.map((path) => ({ path, size: 1 })), checkpoint: () => null }
    const portions = (async function* () {
      yield portion
    })()
    const looking = verifyErased(purge)(testRun(io), 'data', portions, { expected: files })
    const error: unknown = await looking.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    await io.close()
    return { ...asked, error }
  }
  const named = (folder: string, count: number) =>
    Array.from({ length: count }, (_, index) => `s3://b/t/${folder}/${index}`)

  it('asks for hardly one, however many manifests the table has', async () => {
    const { stats, error } = await looked([...named('metadata', 400_000), ...named('other', 100_000)])
    expect(error).toBeUndefined()
    expect(stats).toBeLessThan(10)
  })

  it('finds the one that is there', async () => {
    const there = 's3://b/t/data/1234.parquet'
    const { stats, error } = await looked(named('metadata', 60_000), [there])
    expect(error).toMatchObject({ examples: [there] })
    expect(stats).toBeLessThan(10)
  })

  it('lists no more than asking is worth', async () => {
    const { stats, listed, error } = await looked(named('other', 1_000_000))
    expect(error).toBeUndefined()
    expect(listed).toBeLessThan(files * 100 + 10)
    expect(stats).toBe(files)
  })
})
