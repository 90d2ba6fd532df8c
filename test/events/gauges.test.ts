import { describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { EventFeed } from '../../src/events/feed.ts'
import { recordEvents } from '../../src/events/outbox.ts'
import { Metrics } from '../../src/observability/metrics.ts'
import { createDatabase, dialects } from '../../src/testing/databases.ts'

async function record(database: Database, count: number, age: number): Promise<void> {
  await database.transaction(async (tx) => {
    const occurred_at = (await database.now(tx)) - age
    for (let index = 0; index < count; index++) {
      const subject = `s${index}`
      const row = { type: 'table.committed', warehouse: 'main', subject, occurred_at, data: '{}' }
      await tx.insertInto('events').values(row).execute()
    }
  })
}

/** The lines of the outbox, by name. */
async function told({ registry }: Metrics): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('moulin_event_'))
  return Object.fromEntries(lines.map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]))
}

describe.each(dialects)('the metrics of the outbox on %s', (dialect) => {
  it('tell how many events a sink that is away has not got, and since when', async () => {
    const test = await createDatabase(dialect)
    try {
      const { database } = test
      const metrics = new Metrics(database)
      const nothing = { moulin_event_outbox_rows: 0, moulin_event_outbox_oldest_seconds: 0 }
      expect(await told(metrics)).toEqual(nothing)
      await recordEvents(database, ['alive', 'away'])
      await record(database, 3, 90_000)
      const alive = new EventFeed(database, 'alive', 'a')
      await alive.acquire(60_000)
      await alive.advance((await alive.next(10))!.position)
      await record(database, 1, 0)
      const waiting = await told(metrics)
      expect(waiting).toMatchObject({
        moulin_event_outbox_rows: 4,
        'moulin_event_sink_behind{sink="alive"}': 1,
        'moulin_event_sink_behind{sink="away"}': 4,
      })
      expect(waiting.moulin_event_outbox_oldest_seconds).toBeGreaterThanOrEqual(90)
      expect(waiting.moulin_event_outbox_oldest_seconds).toBeLessThan(200)
      await recordEvents(database, ['alive'])
      await alive.advance((await alive.next(10))!.position)
      expect(await told(metrics)).toEqual({ ...nothing, 'moulin_event_sink_behind{sink="alive"}': 0 })
    } finally {
      await test.close()
    }
  })

  it('are missing, and the others are told, while the database does not answer', async () => {
    const { database, close } = await createDatabase(dialect)
    const metrics = new Metrics(database)
    await close()
    const text = await metrics.registry.metrics()
    expect(text).toContain('process_cpu_seconds_total')
    expect(text).not.toMatch(/^moulin_event_outbox_rows \d/m)
  })
})
