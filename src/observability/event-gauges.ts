/** How much waits in the outbox of events, as the database has it whenever the metrics are asked for. */
import { Gauge, type Registry } from 'prom-client'
import type { Database } from '../database/database.ts'

/** Adds the gauges. While the database does not answer they have no value, and the other metrics are told; `/readyz` says why. */
export function eventGauges(database: Database, registry: Registry): void {
  new Gauge({
    name: 'moulin_event_outbox_rows',
    help: 'Events that are kept because a sink has not got them.',
    registers: [registry],
    async collect() {
      try {
        const sinks = await behind(database)
        this.set(Math.max(0, ...sinks.map(({ events }) => events)))
      } catch {
        this.remove()
      }
    },
  })
  new Gauge({
    name: 'moulin_event_outbox_oldest_seconds',
    help: 'Age of the oldest of them; 0 without any.',
    registers: [registry],
    async collect() {
      try {
        this.set(await ageOfOldest(database))
      } catch {
        this.remove()
      }
    },
  })
  new Gauge({
    name: 'moulin_event_sink_behind',
    help: 'Events that a sink has not got.',
    labelNames: ['sink'] as const,
    registers: [registry],
    async collect() {
      // A sink that is gone has no value, either.
      this.reset()
      const sinks = await behind(database).catch(() => [])
      for (const { sink, events } of sinks) this.set({ sink }, events)
    },
  })
}

/** Positions have no gaps, so that nothing is counted but what has none yet. */
async function behind({ reader }: Database): Promise<{ sink: string; events: number }[]> {
  const { count } = await reader
    .selectFrom('events')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('position', 'is', null)
    .executeTakeFirstOrThrow()
  const sinks = await reader
    .selectFrom('event_sinks')
    .innerJoin('event_outbox', (join) => join.onTrue())
    .select(['event_sinks.name', 'event_sinks.position', 'event_outbox.last_position'])
    .execute()
  return sinks.map(({ name, position, last_position }) => ({
    sink: name,
    events: last_position - position + count,
  }))
}

/** Seconds. */
async function ageOfOldest(database: Database): Promise<number> {
  const oldest = await database.reader
    .selectFrom('events')
    .select('occurred_at')
    .orderBy('sequence')
    .limit(1)
    .executeTakeFirst()
  if (!oldest) return 0
  return Math.max(0, ((await database.now(database.reader)) - oldest.occurred_at) / 1_000)
}
