import { DatabaseSync } from 'node:sqlite'
import { sql, type Updateable } from 'kysely'
import { describe, expect, it, vi } from 'vitest'
import type { PurgeTable } from '../../src/database/schema/purges.ts'
import type { Turn } from '../../src/purge/ledger/turns.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

const leaseTime = 60_000

/** Records a purge that is due for so many seconds, and says what else is so of it. */
async function due(
  fixture: PurgeFixture,
  name: string,
  seconds: number,
  change: Updateable<PurgeTable> = {},
  warehouse = 'main',
): Promise<string> {
  const id = await fixture.record(warehouse, name)
  await fixture.database.transaction(async (tx) => {
    const next_attempt_at = (await fixture.database.now(tx)) - seconds * 1_000
    await tx
      .updateTable('purges')
      .set({ next_attempt_at, ...change })
      .where('id', '=', id)
      .execute()
  })
  return id
}

/** An engine elsewhere has it. */
const elsewhere = { state: 'handed_off', reference: 'job' } as const

async function claimed(fixture: PurgeFixture, limit: number, turns: readonly Turn[]): Promise<string[]> {
  const { leases } = await fixture.ledger.claimDue(turns, 'test:1', limit)
  return leases.map(({ purge }) => purge.name)
}

describe.each(dialects)('the order of claims on %s', (dialect) => {
  const main = { warehouse: 'main', leaseTime }

  it('takes those that are to be asked about and those that are to be worked on by turns', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    for (let number = 0; number < 4; number++) await due(fixture, `asked${number}`, 100 - number, elsewhere)
    for (let number = 0; number < 3; number++) await due(fixture, `new${number}`, 10 - number)
    expect(await claimed(fixture, 1, [{ ...main, asked: true }])).toEqual(['new0'])
    expect(await claimed(fixture, 10, [main])).toEqual([
      'asked0',
      'new1',
      'asked1',
      'new2',
      'asked2',
      'asked3',
    ])
  })

  it('takes retained, deferred and new ones by the time for which they wait, abandoned ones before them', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await due(fixture, 'new', 3)
    for (let number = 0; number < 3; number++) {
      await due(fixture, `matured${number}`, 2 - number / 10, { state: 'retained' })
    }
    await due(fixture, 'deferred', 5, { attempts: 2, fruitless: 2 })
    await due(fixture, 'later', -100)
    const abandoned = { state: 'running', lease_owner: 'dead:1', lease_expires_at: 1 } as const
    await due(fixture, 'abandoned', 0, abandoned)
    await due(fixture, 'at work', 50, { ...abandoned, lease_expires_at: Number.MAX_SAFE_INTEGER })
    expect(await claimed(fixture, 10, [main])).toEqual([
      'abandoned',
      'deferred',
      'new',
      'matured0',
      'matured1',
      'matured2',
    ])
  })

  it('takes the highest priority first, whichever the state and the warehouse; the warehouses of one in turn', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    for (const warehouse of ['main', 'other']) {
      await due(fixture, `${warehouse} 0`, 9, {}, warehouse)
      await due(fixture, `${warehouse} -1`, 99, { priority: -1 }, warehouse)
    }
    await due(fixture, 'other 5', 1, { priority: 5 }, 'other')
    await due(fixture, 'other 5, later', -100, { priority: 5 }, 'other')
    await due(fixture, 'other 7', 1, { priority: 7, state: 'retained' }, 'other')
    await due(fixture, 'main 6', 1, { priority: 6, ...elsewhere })
    await due(fixture, 'nobody 9', 1, { priority: 9 }, 'not served')
    expect(await claimed(fixture, 10, [main, { warehouse: 'other', leaseTime }])).toEqual([
      ...['other 7', 'main 6', 'other 5', 'main 0', 'other 0', 'main -1', 'other -1'],
    ])
  })

  it('takes first what an operator has recalled: its engine is to be told at once', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await due(fixture, 'urgent', 9, { priority: 100 })
    const recalled = await due(fixture, 'recalled', 0, elsewhere)
    expect(await fixture.ledger.hold(recalled, 'stop')).toBe('handed_off')
    expect(await claimed(fixture, 1, [main])).toEqual(['recalled'])
  })

  it('takes of each warehouse as many as it may have', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    for (let number = 0; number < 5; number++) {
      await due(fixture, `m${number}`, 9 - number)
      await due(fixture, `o${number}`, 9 - number, {}, 'other')
    }
    const turns = [
      { ...main, limit: 1 },
      { warehouse: 'other', leaseTime, limit: 3 },
    ]
    expect(await claimed(fixture, 10, turns)).toEqual(['m0', 'o0', 'o1', 'o2'])
  })

  it('settles no more purges in one transaction than it may claim', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    for (let number = 0; number < 9; number++) {
      await due(fixture, `twin${number}`, 9, { uuid: table.purge.uuid ?? null })
    }
    expect(await fixture.ledger.claimDue([main], 'test:1', 4)).toEqual({ leases: [], settled: 4 })
    expect(await fixture.ledger.claimDue([main], 'test:1', 10)).toEqual({ leases: [], settled: 5 })
  })

  it('says where purges wait for a worker', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await due(fixture, 'later', -100, { priority: 3 })
    expect(await fixture.ledger.due()).toEqual([])
    await due(fixture, 'a', 1)
    await due(fixture, 'b', 1)
    await due(fixture, 'c', 1, { priority: 2, state: 'retained' }, 'other')
    await due(fixture, 'd', 1, elsewhere)
    await due(fixture, 'e', 1, { state: 'running', lease_owner: 'dead:1', lease_expires_at: 1 })
    expect(await fixture.ledger.due()).toEqual([
      { lane: 'abandoned', warehouse: 'main', rank: 0 },
      { lane: 'waiting', warehouse: 'main', rank: 0 },
      { lane: 'waiting', warehouse: 'other', rank: 2 },
      { lane: 'elsewhere', warehouse: 'main', rank: 0 },
    ])
  })
})

it('claims, polls and prunes by index alone on SQLite, which holds the write lock meanwhile', async () => {
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare')
  await using fixture = await PurgeFixture.open('sqlite')
  // With a reference, so that the guard's statements are not among them.
  for (const state of ['pending', 'retained', 'handed_off'] as const) {
    await due(fixture, state, 1, { state, reference: 'job' })
  }
  await due(fixture, 'ended', 1, { state: 'succeeded', finished_at: 1 })
  prepare.mockClear()
  const { leases } = await fixture.ledger.claimDue([{ warehouse: 'main', leaseTime: -1 }], 'test:1', 3)
  expect(leases).toHaveLength(3)
  expect(await fixture.ledger.due()).toMatchObject([{ lane: 'abandoned' }])
  expect(await fixture.ledger.prune('main', 0)).toBe(1)
  const statements = new Set(prepare.mock.calls.map(([statement]) => statement))
  prepare.mockRestore()
  const plans = new Map<string, string>()
  for (const statement of statements) {
    if (!/\bpurges\b/.test(statement)) continue
    const { rows } = await sql<{ detail: string }>`EXPLAIN QUERY PLAN ${sql.raw(statement)}`.execute(
      fixture.database.reader,
    )
    plans.set(statement, rows.map(({ detail }) => detail).join('; '))
  }
  expect(plans.size).toBeGreaterThanOrEqual(8)
  for (const [statement, plan] of plans)
    expect(plan, statement).not.toMatch(/SCAN (purges|head\b)|TEMP B-TREE|\(rank,warehouse\)/)
})
