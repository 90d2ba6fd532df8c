import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { CloudEvent } from '../../src/events/event.ts'
import { EventOutbox, recordEvents } from '../../src/events/outbox.ts'
import { EventRelay } from '../../src/events/relay.ts'
import type { EventSink } from '../../src/events/sink.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

const logger = pino({ level: 'silent' })

/** Keeps what it is sent, and fails as often as it is told. */
class Memory implements EventSink {
  readonly events: CloudEvent[] = []
  failures = 0
  isClosed = false

  async send(events: readonly CloudEvent[]): Promise<void> {
    this.events.push(...events)
    if (this.failures-- > 0) throw new Error('not today')
  }

  async close(): Promise<void> {
    this.isClosed = true
  }

  /** In the order of the first time. */
  get unique(): CloudEvent[] {
    return [...new Map(this.events.map((event) => [event.id, event])).values()]
  }
}

describe.each(dialects)('events, recorded on %s', (dialect) => {
  it('tell of every change to namespaces, tables and purges, in the transaction of the change', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { catalog, ledger, database } = fixture
    await recordEvents(database, true)
    const table = await fixture.table('t')
    await catalog.renameTable(table.identifier, { namespace: ['ns'], name: 'u' })
    await expect(
      database.transaction(async (tx) => {
        await tx.deleteFrom('entries').execute()
        throw new Error('undone')
      }),
    ).rejects.toThrow('undone')
    const id = await fixture.drop('u')
    await fixture.run(id)
    await catalog.dropNamespace(['ns'])
    const events = await new EventOutbox(database, 'a').next(100)
    expect(events.map(({ type }) => type)).toEqual([
      'moulin.namespace.created',
      'moulin.table.created',
      'moulin.table.renamed',
      ...(events[3]?.type === 'moulin.table.dropped'
        ? ['moulin.table.dropped', 'moulin.purge.pending']
        : ['moulin.purge.pending', 'moulin.table.dropped']),
      'moulin.purge.running',
      'moulin.purge.succeeded',
      'moulin.namespace.dropped',
    ])
    expect(events[2]).toMatchObject({
      specversion: '1.0',
      source: '/warehouses/main',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: {
        namespace: ['ns'],
        name: 'u',
        'previous-namespace': ['ns'],
        'previous-name': 't',
        'metadata-location': table.purge.metadataLocation,
      },
    })
    expect(events.find(({ type }) => type === 'moulin.purge.succeeded')).toMatchObject({
      subject: id,
      data: { purge: id, 'previous-state': 'running', name: 'u', principal: 'p', attempt: 1 },
    })
    expect((await ledger.get(id))?.state).toBe('succeeded')
  })

  it('tell of commits, and why a purge failed', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { catalog, database, io } = fixture
    const table = await fixture.table('t')
    await recordEvents(database, true)
    const again = `${table.purge.metadataLocation}.2`
    await io.copy(table.purge.metadataLocation, again)
    await catalog.registerTable(['ns'], { name: 't', metadataLocation: again, overwrite: true })
    await io.deleteFiles([again])
    await fixture.run(await fixture.drop('t'))
    const events = await new EventOutbox(database, 'a').next(100)
    const committed = events.find(({ type }) => type === 'moulin.table.committed')
    expect(committed?.data).toMatchObject({
      'metadata-location': again,
      'previous-metadata-location': table.purge.metadataLocation,
    })
    const failed = events.find(({ type }) => type === 'moulin.purge.failed')
    expect(failed?.data.error).toContain(again)
  })

  it('are recorded only while somebody wants them', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { database } = fixture
    const outbox = new EventOutbox(database, 'a')
    await fixture.table('before')
    expect(await outbox.next(10)).toEqual([])
    await recordEvents(database, true)
    await recordEvents(database, true)
    await fixture.table('t')
    expect(await outbox.next(10)).toHaveLength(1)
    await recordEvents(database, false)
    expect(await outbox.next(10)).toEqual([])
    await fixture.table('after')
    expect(await outbox.next(10)).toEqual([])
  })

  it('are sent to every sink, in order, by one server at a time, again after a failure', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { database, catalog } = fixture
    await recordEvents(database, true)
    const [steady, shaky, other] = [new Memory(), new Memory(), new Memory()]
    shaky.failures = 2
    for (let index = 0; index < 5; index++) await catalog.createNamespace([`n${index}`], {})
    const first = new EventRelay({ database, sinks: [steady, shaky], owner: 'a', logger })
    await expect.poll(() => steady.events.length, { timeout: 10_000 }).toBeGreaterThan(0)
    const second = new EventRelay({ database, sinks: [other], owner: 'b', logger })
    const outbox = new EventOutbox(database, 'c')
    await expect.poll(() => outbox.next(10), { timeout: 20_000 }).toEqual([])
    const names = ['n0', 'n1', 'n2', 'n3', 'n4']
    expect(shaky.events).toHaveLength(15)
    for (const sink of [steady, shaky]) {
      expect(sink.unique.map(({ data }) => data.namespace)).toEqual(names.map((name) => [name]))
    }
    expect(other.events).toEqual([])
    await first.stop()
    expect([steady.isClosed, shaky.isClosed]).toEqual([true, true])
    // Its lease is free: the other takes over.
    await catalog.createNamespace(['late'], {})
    await expect.poll(() => other.events.length, { timeout: 10_000 }).toBe(1)
    await second.stop()
  })
})
