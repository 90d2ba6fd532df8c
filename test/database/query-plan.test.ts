import { sql } from 'kysely'
import { expect, it } from 'vitest'
import type { Transaction } from '../../src/database/database.ts'
import { placesAround } from '../../src/database/places.ts'
import { erasedTwin, liveTwins, unfinishedTwin } from '../../src/database/twins.ts'
import { enclosedPlaces, isOverlapped, sharedWith } from '../../src/purge/guard.ts'
import { keepOthers } from '../../src/purge/keep-others.ts'
import type { Purge } from '../../src/purge/purger.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { queryPlans } from './query-plan.ts'

const identity = { metadataKey: 's3://b/t/metadata/0.metadata.json', uuid: 'uuid' }

const purge: Purge = {
  id: 'id',
  kind: 'table',
  warehouse: 'main',
  namespace: ['ns'],
  name: 't',
  uuid: 'uuid',
  metadataLocation: identity.metadataKey,
  locations: [{ location: 's3://b/t', owned: true }],
  request: { principal: 'p', requestId: 'r', client: 'c', requestedAt: 0 },
}

const asked: Record<string, (tx: Transaction) => Promise<unknown>> = {
  'the guard': (tx) => sharedWith(tx, { id: 'id', metadata_key: identity.metadataKey, uuid: identity.uuid }),
  'the guard, of a table without a UUID': (tx) =>
    sharedWith(tx, { id: 'id', metadata_key: identity.metadataKey, uuid: null }),
  'who registers, of unfinished purges': (tx) => unfinishedTwin(tx, identity),
  'who registers, of purges that have just ended': (tx) => erasedTwin(tx, identity, 0),
  'the guard, of files at work': (tx) =>
    keepOthers(tx, purge)(['s3://b/t/data/1.parquet', 's3://b/elsewhere/1.parquet']),
  'the guard, of places in a location': (tx) => enclosedPlaces(tx, purge),
  'the sweep, of overlaps': (tx) => isOverlapped(tx, purge, purge.locations[0]!),
  'who writes outside of its location': (tx) => placesAround(tx, 's3://b/t/data'),
  'who registers, of live entries': (tx) => liveTwins(tx, identity, { except: 'id', limit: 10 }),
}

it.each(Object.keys(asked))('%s asks an index, however many rows there are', async (who) => {
  await using fixture = await PurgeFixture.open('sqlite')
  await fixture.record('main', 't')
  // As many as make a scan look as bad to the planner as it is.
  await fixture.database.transaction((tx) => manyPurges(tx, 20_000))
  const plans = await queryPlans(fixture.database, asked[who]!)
  expect(plans.length).toBeGreaterThan(0)
  const scans = plans.filter(({ steps }) => steps.some((step) => step.startsWith('SCAN')))
  expect(scans).toEqual([])
})

/** Copies of the one that is there, most of them over. */
async function manyPurges(tx: Transaction, count: number): Promise<void> {
  const { rows } = await sql<{ name: string }>`SELECT name FROM pragma_table_info('purges')`.execute(tx)
  const values = rows.map(({ name }) => {
    if (name === 'id' || name === 'uuid') return sql`n`
    if (name === 'metadata_key') return sql`metadata_key || n`
    if (name === 'state') return sql`CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'succeeded' END`
    return sql.ref(name)
  })
  await sql`
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
    INSERT INTO purges (${sql.join(rows.map(({ name }) => sql.ref(name)))})
    SELECT ${sql.join(values)} FROM purges, numbers`.execute(tx)
  await sql`ANALYZE`.execute(tx)
}
