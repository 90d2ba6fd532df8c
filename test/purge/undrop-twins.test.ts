import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { lockPlaces } from '../../src/database/places.ts'
import { SynchronousPurger } from '../../src/purge/purgers/synchronous/synchronous-purger.ts'
import { runAttempt } from '../../src/purge/run-attempt.ts'
import { undrop } from '../../src/server/undrop.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { watchDeletes } from '../../src/testing/watched-file-io.ts'

const all = (files: Readonly<Record<string, readonly string[]>>) => Object.values(files).flat().toSorted()

async function restore(fixture: PurgeFixture, id: string): Promise<void> {
  const warehouses = new Map([['main', { catalog: fixture.catalog }]])
  await undrop({ ledger: fixture.ledger, warehouses: warehouses as never }, id)
}

/** Two registrations of one table: of one metadata file, or of two that have one UUID. */
async function twins(fixture: PurgeFixture, share: 'metadata file' | 'UUID') {
  const table = await fixture.table('first')
  let root = table.purge.metadataLocation
  if (share === 'UUID') {
    const copy = root.replace('.metadata.json', '-copy.metadata.json')
    await fixture.io.write(copy, await fixture.io.read(root))
    root = copy
  }
  await fixture.register('second', root)
  return table
}

const exists = (fixture: PurgeFixture, name: string) =>
  fixture.catalog.tableExists({ namespace: ['ns'], name })

describe.each(dialects)('undoing the drop of a table that has a twin, on %s,', (dialect) => {
  it.each(['metadata file', 'UUID'] as const)(
    'is refused once the purge of its twin, of the same %s, has erased the files',
    async (share) => {
      await using fixture = await PurgeFixture.open(dialect)
      await twins(fixture, share)
      const second = await fixture.drop('second')
      expect(await fixture.run(second)).toMatchObject({ state: 'held' })
      const first = await fixture.drop('first')
      expect(await fixture.run(first)).toMatchObject({ state: 'succeeded' })
      await expect(restore(fixture, second)).rejects.toMatchObject({
        status: 409,
        message: expect.stringContaining(first),
      })
      expect(await exists(fixture, 'second')).toBe(false)
      expect(await fixture.ledger.get(second)).toMatchObject({ state: 'held' })
      // Nor is it forgotten as long as somebody might ask again.
      await sleep(5)
      expect(await fixture.ledger.prune('main', 0)).toBe(0)
      await expect(restore(fixture, second)).rejects.toMatchObject({ status: 409 })
      await fixture.ledger.cancel(second)
      await sleep(5)
      expect(await fixture.ledger.prune('main', 0)).toBe(2)
    },
  )

  it.each(['metadata file', 'UUID'] as const)(
    'is refused while the purge of its twin, of the same %s, is claimed',
    async (share) => {
      await using fixture = await PurgeFixture.open(dialect)
      await twins(fixture, share)
      const [first, second] = [await fixture.drop('first'), await fixture.drop('second')]
      const lease = (await fixture.ledger.claim(first, 'w:1', 60_000))!
      await expect(restore(fixture, second)).rejects.toMatchObject({
        status: 409,
        message: expect.stringContaining(first),
      })
      await runAttempt(lease, {
        database: fixture.database,
        ledger: fixture.ledger,
        purger: new SynchronousPurger(),
        io: fixture.io,
        logger: pino({ level: 'silent' }),
        owner: 'w:1',
      })
      expect(await fixture.ledger.get(first)).toMatchObject({ state: 'succeeded' })
      expect(await exists(fixture, 'second')).toBe(false)
    },
  )

  it('is refused where the purge of its twin has begun and failed', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await twins(fixture, 'metadata file')
    const [first, second] = [await fixture.drop('first'), await fixture.drop('second')]
    const stubborn = table.files.data[0]!
    const io = watchDeletes(fixture.io, (path) =>
      path === stubborn ? { outcome: 'failed', code: 'InternalError', message: 'no' } : undefined,
    )
    expect(await fixture.run(first, { io })).toMatchObject({ state: 'failed' })
    await expect(restore(fixture, second)).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining(first),
    })
  })

  it('is done while the purge of its twin has not begun, which the guard then holds', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await twins(fixture, 'metadata file')
    const [first, second] = [await fixture.drop('first'), await fixture.drop('second')]
    await restore(fixture, second)
    expect(await fixture.run(first)).toMatchObject({
      state: 'held',
      message: expect.stringContaining('ns.second'),
    })
    expect(await fixture.files()).toEqual(all(table.files))
    expect(await exists(fixture, 'second')).toBe(true)
  })

  it('is done when an earlier life of its twin was erased before it was dropped', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('first')
    const backup = new Map<string, Buffer>()
    for (const path of all(table.files)) backup.set(path, await fixture.io.read(path))
    expect(await fixture.run(await fixture.drop('first'))).toMatchObject({ state: 'succeeded' })
    for (const [path, bytes] of backup) await fixture.io.write(path, bytes)
    await fixture.register('second', table.purge.metadataLocation)
    const second = await fixture.drop('second', { retention: 60_000 })
    await restore(fixture, second)
    expect(await exists(fixture, 'second')).toBe(true)
  })

  it('is refused where the metadata file is gone', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('first')
    const id = await fixture.drop('first', { retention: 60_000 })
    await fixture.io.deleteFiles([table.purge.metadataLocation])
    await expect(restore(fixture, id)).rejects.toMatchObject({ status: 404, type: 'NotFoundException' })
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'retained' })
  })
})

it('undoing a drop waits on PostgreSQL until claims that are under way have asked the guard', async () => {
  await using fixture = await PurgeFixture.open('postgres')
  await twins(fixture, 'metadata file')
  const second = await fixture.drop('second', { retention: 60_000 })
  let done = false
  let undone: Promise<void> | undefined
  await fixture.database.transaction(async (tx) => {
    await lockPlaces(tx, 'shared')
    undone = restore(fixture, second).then(() => {
      done = true
    })
    await sleep(300)
    expect(done).toBe(false)
  })
  await undone
  expect(await exists(fixture, 'second')).toBe(true)
})

describe.each(dialects)('undoing the drop of a purge that is pruned meanwhile, on %s,', (dialect) => {
  it('is refused: there is no such purge', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t')
    const id = await fixture.drop('t')
    const { catalog, ledger, database } = fixture
    const prunes = {
      restore: async (...given: Parameters<typeof catalog.restore>) => {
        await database.transaction((tx) => tx.deleteFrom('purges').where('id', '=', id).execute())
        await catalog.restore(...given)
      },
    }
    const warehouses = new Map([['main', { catalog: prunes }]])
    await expect(undrop({ ledger, warehouses: warehouses as never }, id)).rejects.toMatchObject({
      status: 404,
      type: 'NoSuchPurgeException',
    })
    expect(await exists(fixture, 't')).toBe(false)
  })
})
