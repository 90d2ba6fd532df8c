import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { EventFeed } from '../../src/events/feed.ts'
import { recordEvents } from '../../src/events/outbox.ts'
import { EventRelay } from '../../src/events/relay.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { MemorySink } from './memory-sink.ts'

const logger = pino({ level: 'silent' })
const patient = { timeout: 20_000 }

/** A subject for each of them. */
async function record(database: Database, count: number, from = 0): Promise<string[]> {
  const subjects = Array.from({ length: count }, (_, index) => `s${String(from + index).padStart(4, '0')}`)
  const row = { type: 'table.committed', warehouse: 'main', occurred_at: 1, data: '{}' }
  await database.transaction(async (tx) => {
    for (const subject of subjects)
      await tx
        .insertInto('events')
        .values({ ...row, subject })
        .execute()
  })
  return subjects
}

async function left({ reader }: Database): Promise<number> {
  const rows = await reader.selectFrom('events').select('sequence').execute()
  return rows.length
}

const subjectsOf = (sink: MemorySink) => sink.unique.map(({ subject }) => subject)

describe.each(dialects)('events, sent from %s', (dialect) => {
  it('go to every sink, in order, by one server at a time, again after a failure', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { database } = fixture
    const steady = new MemorySink('steady')
    const others = [new MemorySink('steady'), new MemorySink('shaky')]
    const shaky = others[1]!
    shaky.failures = 1
    await recordEvents(database, ['steady', 'shaky'])
    const subjects = await record(database, 5)
    const first = new EventRelay({ database, sinks: [steady], owner: 'a', logger })
    await expect.poll(() => subjectsOf(steady), patient).toEqual(subjects)
    const second = new EventRelay({ database, sinks: others, owner: 'b', logger })
    await expect.poll(() => left(database), patient).toBe(0)
    expect(subjectsOf(shaky)).toEqual(subjects)
    expect(shaky.batches).toBe(2)
    await first.stop()
    // Its lease is free: the other takes over.
    const late = await record(database, 3, 5)
    await expect.poll(() => left(database), patient).toBe(0)
    expect(subjectsOf(others[0]!)).toEqual(late)
    expect(steady.events).toHaveLength(5)
    await second.stop()
    expect([steady, ...others].map(({ isClosed }) => isClosed)).toEqual([true, true, true])
  })

  it('go on to one sink while another is away, which gets all of them when it is back', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { database } = fixture
    const [alive, away] = [new MemorySink('alive'), new MemorySink('away')]
    away.failures = Number.POSITIVE_INFINITY
    await recordEvents(database, ['alive', 'away'])
    const subjects = await record(database, 1_200)
    const relay = new EventRelay({ database, sinks: [alive, away], owner: 'a', logger })
    await expect.poll(() => subjectsOf(alive), patient).toEqual(subjects)
    expect(alive.events).toHaveLength(subjects.length)
    // The first ones, again and again.
    await expect.poll(() => away.batches, patient).toBeGreaterThan(1)
    expect(subjectsOf(away)).toEqual(subjects.slice(0, 500))
    expect(await left(database)).toBe(subjects.length)
    await relay.stop()

    away.failures = 0
    away.events.length = 0
    const next = new EventRelay({ database, sinks: [alive, away], owner: 'b', logger })
    await expect.poll(() => left(database), patient).toBe(0)
    expect(away.events.map(({ subject }) => subject)).toEqual(subjects)
    expect(alive.events).toHaveLength(subjects.length)
    await next.stop()
  })

  it('wait no longer than they may for a sink that says nothing, at the end, too', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { database } = fixture
    const silent = new MemorySink('silent')
    silent.isSilent = true
    await recordEvents(database, ['silent'])
    const subjects = await record(database, 2)
    const hasty = new EventRelay({ database, sinks: [silent], owner: 'a', logger, sendTimeout: 50 })
    await expect.poll(() => silent.batches, patient).toBeGreaterThan(1)
    await hasty.stop()
    const before = silent.batches
    const relay = new EventRelay({ database, sinks: [silent], owner: 'b', logger })
    await expect.poll(() => silent.batches, patient).toBe(before + 1)
    const began = performance.now()
    await relay.stop()
    expect(performance.now() - began).toBeLessThan(10_000)
    // Its lease is free.
    const other = new EventFeed(database, 'silent', 'c')
    expect(await other.acquire(1_000)).toBe(true)
    expect((await other.next(10))?.events.map(({ subject }) => subject)).toEqual(subjects)
  })

  it('reach a sink that is new as far as another has still to get them, and nobody waits for one that is gone', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { database } = fixture
    await recordEvents(database, ['a', 'b'])
    const subjects = await record(database, 4)
    const a = new EventFeed(database, 'a', 'x')
    await a.acquire(60_000)
    const { position } = (await a.next(2))!
    await a.advance(position)
    expect(await left(database)).toBe(4)
    await recordEvents(database, ['a', 'c'])
    const c = new EventFeed(database, 'c', 'x')
    expect(await c.isWaiting()).toBe(true)
    expect((await c.next(10))?.events.map(({ subject }) => subject)).toEqual(subjects)
    await recordEvents(database, ['a'])
    await a.advance((await a.next(10))!.position)
    expect(await left(database)).toBe(0)
    expect(await a.isWaiting()).toBe(false)
    await recordEvents(database, ['a', 'd'])
    expect(await new EventFeed(database, 'd', 'x').isWaiting()).toBe(false)
  })

  it('are not passed over when they were recorded first and committed last', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { database } = fixture
    await recordEvents(database, ['a'])
    const row = { type: 'table.committed', warehouse: 'main', occurred_at: 1, data: '{}' }
    const values = (sequence: number) => ({ ...row, subject: `s${sequence}` })
    const feed = new EventFeed(database, 'a', 'x')
    await feed.acquire(60_000)
    const seen: string[] = []
    const take = async () => {
      const portion = await feed.next(10)
      if (!portion) return
      seen.push(...portion.events.map(({ subject }) => subject))
      await feed.advance(portion.position)
    }
    const inserted = Promise.withResolvers<void>()
    const committed = Promise.withResolvers<void>()
    const slow = database.transaction(async (tx) => {
      await tx.insertInto('events').values(values(1)).execute()
      inserted.resolve()
      // SQLite's write transactions are alone.
      if (dialect === 'postgres') await committed.promise
    })
    await inserted.promise
    await database.transaction(async (tx) => {
      await tx.insertInto('events').values(values(2)).execute()
    })
    await take()
    committed.resolve()
    await slow
    await take()
    expect(seen.toSorted()).toEqual(['s1', 's2'])
    expect(await feed.isWaiting()).toBe(false)
    expect(await left(database)).toBe(0)
  })
})
