import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import {
  findOverlaps,
  holderText,
  insertPlace,
  locationConflict,
  lockPlaces,
} from '../../src/database/places.ts'
import { overlaps } from '../../src/storage/location.ts'
import { forEachDatabase } from '../../src/testing/databases.ts'

/** A namespace and a table for places to belong to. */
async function insertEntry(database: Database): Promise<string> {
  const id = randomUUID()
  await database.transaction(async (tx) => {
    const row = { id, warehouse: 'main', created_at: 0 }
    await tx
      .insertInto('namespaces')
      .values({ ...row, path: `a\u001f${id}`, parent_id: null, properties: '{}' })
      .execute()
    await tx
      .insertInto('entries')
      .values({ ...row, namespace_id: id, name: 't', kind: 'table', uuid: null, ...pointer, updated_at: 0 })
      .execute()
  })
  return id
}
const pointer = { metadata_location: '/m', metadata_key: 'file:///m', location: '/l' }

forEachDatabase((dialect, create) => {
  it(`${dialect}: finds exactly the places that contain a location or lie in it`, async () => {
    await using test = await create()
    const entryId = await insertEntry(test.database)
    const segment = fc.constantFrom(
      'a',
      'b',
      'ab',
      'a0',
      'a-',
      'a.b',
      'é',
      '日本',
      '😀',
      '%2F',
      '~',
      ' ',
      '\u00ff',
    )
    const path = fc.array(segment, { minLength: 1, maxLength: 4 })
    const location = fc.oneof(
      path.map((segments) => `/${segments.join('/')}`),
      path.map((segments) => `file:///${segments.join('/')}/`),
      path.map((segments) => `s3://bucket/${segments.join('/')}`),
      path.map((segments) => `s3a://bucket/${segments.join('//')}`),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(location, { maxLength: 30 }), location, async (held, asked) => {
        await test.database.transaction(async (tx) => {
          await tx.deleteFrom('places').execute()
          for (const location of held) await insertPlace(tx, { location, owned: true, entryId, now: 0 })
          const found = await findOverlaps(tx, asked)
          const expected = held.filter((location) => overlaps(location, asked))
          expect(found.map(({ location }) => location).sort()).toEqual(expected.sort())
        })
      }),
      { numRuns: 100 },
    )
  })

  it(`${dialect}: names the holder`, async () => {
    await using test = await create()
    const entryId = await insertEntry(test.database)
    const purgeId = randomUUID()
    await test.database.transaction(async (tx) => {
      await insertPlace(tx, { location: 's3a://b/t', owned: true, entryId, now: 0 })
      const row = { location: '/p', place_key: 'file:///p/', owned: 0, created_at: 0 }
      await tx
        .insertInto('places')
        .values({ ...row, id: randomUUID(), entry_id: null, purge_id: purgeId })
        .execute()
    })
    const [table] = await findOverlaps(test.database.reader, 's3://b/t/x')
    expect(table).toMatchObject({ location: 's3a://b/t', placeKey: 's3://b/t/', owned: true })
    expect(holderText(table!.holder)).toBe(`table a.${entryId}.t of warehouse main`)
    const [purge] = await findOverlaps(test.database.reader, '/')
    expect(locationConflict('/', purge!)).toMatchObject({
      type: 'LocationConflictException',
      message: expect.stringContaining(`/p, which is held by an unfinished purge ${purgeId}.`),
    })
  })

  it(`${dialect}: a place has one holder`, async () => {
    await using test = await create()
    const row = { location: '/p', place_key: 'file:///p/', owned: 0, created_at: 0 }
    for (const holders of [
      { entry_id: 'a', purge_id: 'b' },
      { entry_id: null, purge_id: null },
    ]) {
      const insert = test.database.transaction((tx) =>
        tx
          .insertInto('places')
          .values({ ...row, id: randomUUID(), ...holders })
          .execute(),
      )
      await expect(insert).rejects.toThrow(/check/i)
    }
  })

  it(`${dialect}: checking and reserving is one step, thousands of times`, async () => {
    await using test = await create()
    const entryId = await insertEntry(test.database)
    const replicas = [test.database, await test.another()]
    const rounds = 600
    for (let round = 0; round < rounds; round++) {
      const base = `s3://bucket/${round}`
      const attempts = ['', '/x', '/x/y', '//', '/x/z/'].map(async (suffix, index) => {
        const location = base + suffix
        return await replicas[index % 2]!.transaction(async (tx) => {
          await lockPlaces(tx, 'exclusive')
          if ((await findOverlaps(tx, location)).length > 0) return 'taken'
          await insertPlace(tx, { location, owned: false, entryId, now: 0 })
          return 'reserved'
        })
      })
      const outcomes = await Promise.all(attempts)
      const reserved = outcomes.flatMap((outcome, index) => (outcome === 'reserved' ? [index] : []))
      // `//` and the bare base overlap everything; `/x/y` and `/x/z/` may both win.
      expect(reserved.length).toBeGreaterThan(0)
      if (reserved.length > 1) expect(reserved).toEqual([2, 4])
    }
  })
})
