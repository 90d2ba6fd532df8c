import { sql } from 'kysely'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { prunedAtATime } from '../../src/purge/ledger/prune.ts'
import { pruneAll } from '../../src/purge/prune.ts'
import { dialects } from '../../src/testing/databases.ts'
import { fillLedger } from '../../src/testing/fill-ledger.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

describe.each(dialects)('pruning on %s', (dialect) => {
  it('removes all whose time is over, and lets others write in between', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fillLedger(fixture.database, { state: 'succeeded', warehouse: 'main', count: 2_500 })
    await fillLedger(fixture.database, { state: 'cancelled', warehouse: 'other', count: 10 })
    await fillLedger(fixture.database, { state: 'failed', warehouse: 'main', count: 10 })
    let breaths = 0
    await pruneAll({
      ledger: fixture.ledger,
      logger: pino({ level: 'silent' }),
      warehouses: new Map([
        ['main', { completedRetention: 60_000 }],
        ['other', { completedRetention: 60_000 }],
      ]),
      clock: {
        now: () => 0,
        sleep: async (milliseconds) => {
          expect(milliseconds).toBeGreaterThan(0)
          breaths++
          await fixture.record('main', `written${breaths}`)
        },
      },
      signal: new AbortController().signal,
    })
    expect(breaths).toBe(Math.floor(2_500 / prunedAtATime))
    const { rows } =
      await sql`SELECT state, count(*) AS count FROM purges GROUP BY state ORDER BY state`.execute(
        fixture.database.reader,
      )
    expect(rows).toEqual([
      { state: 'failed', count: 10 },
      { state: 'pending', count: breaths },
    ])
  })
})
