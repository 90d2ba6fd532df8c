import { describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { type CloudEvent, cloudEvent } from '../../src/events/event.ts'
import { recordEvents } from '../../src/events/outbox.ts'
import { type IcebergPurger, type Inspection, RetryablePurgeError } from '../../src/purge/purger.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

/** What is in the outbox, in the order in which it was recorded. */
async function recorded({ reader }: Database): Promise<CloudEvent[]> {
  const rows = await reader.selectFrom('events').selectAll().orderBy('sequence').execute()
  return rows.map(cloudEvent)
}

/** Has a worker claim the purge, and die. */
async function expire({ database, ledger }: PurgeFixture, id: string): Promise<void> {
  await ledger.claim(id, 'test:2', 60_000)
  await database.transaction(async (tx) => {
    await tx.updateTable('purges').set({ lease_expires_at: 0 }).where('id', '=', id).execute()
  })
}

describe.each(dialects)('events, recorded on %s', (dialect) => {
  it('tell of every change to namespaces, tables and purges, in the transaction of the change', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { catalog, ledger, database } = fixture
    await recordEvents(database, ['x'])
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
    const events = await recorded(database)
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
    await recordEvents(database, ['x'])
    const again = `${table.purge.metadataLocation}.2`
    await io.copy(table.purge.metadataLocation, again)
    await catalog.registerTable(['ns'], { name: 't', metadataLocation: again, overwrite: true })
    await io.deleteFiles([again])
    await fixture.run(await fixture.drop('t'))
    const events = await recorded(database)
    const committed = events.find(({ type }) => type === 'moulin.table.committed')
    expect(committed?.data).toMatchObject({
      'metadata-location': again,
      'previous-metadata-location': table.purge.metadataLocation,
    })
    const failed = events.find(({ type }) => type === 'moulin.purge.failed')
    expect(failed?.data.error).toContain(again)
  })

  it('say nothing of an engine that is only asked, and of what comes of it as from handed off', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { database } = fixture
    await recordEvents(database, ['x'])
    await fixture.table('t')
    const id = await fixture.drop('t')
    const answers: (() => Inspection)[] = []
    const purger: IcebergPurger = {
      name: 'elsewhere',
      waits: false,
      purge: async () => ({ kind: 'handed_off', reference: 'job-1' }),
      inspect: async () => answers.shift()?.() ?? { state: 'running' },
    }
    const run = async () => await fixture.run(id, { purger, backoff: { base: 0, max: 0 } })
    const told = async () => {
      const events = await recorded(database)
      return events.flatMap(({ type, data }) =>
        data.purge === id ? [`${data['previous-state'] ?? ''} ${type.slice('moulin.purge.'.length)}`] : [],
      )
    }
    for (let times = 0; times < 4; times++) await run()
    const handedOff = [' pending', 'pending running', 'running handed_off']
    expect(await told()).toEqual(handedOff)
    // Its lease runs out: the next claim goes on with the same inspection.
    await expire(fixture, id)
    expect(await run()).toMatchObject({ state: 'handed_off' })
    expect(await told()).toEqual(handedOff)
    answers.push(() => {
      throw new RetryablePurgeError('the engine is away')
    })
    await run()
    await run()
    answers.push(() => ({ state: 'finished' }))
    expect(await run()).toMatchObject({ state: 'succeeded' })
    expect(await told()).toEqual([
      ...handedOff,
      'handed_off pending',
      'pending running',
      'running handed_off',
      'handed_off succeeded',
    ])
  })

  it('are recorded only while somebody wants them', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { database } = fixture
    await fixture.table('before')
    expect(await recorded(database)).toEqual([])
    await recordEvents(database, ['x'])
    await recordEvents(database, ['x'])
    await fixture.table('t')
    expect(await recorded(database)).toHaveLength(1)
    await recordEvents(database, [])
    expect(await recorded(database)).toEqual([])
    await fixture.table('after')
    expect(await recorded(database)).toEqual([])
  })
})
