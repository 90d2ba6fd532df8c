import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { isIcebergError } from '../../src/iceberg/errors.ts'
import { forEachDatabase } from '../../src/testing/databases.ts'
import { appendSnapshot, openCatalog, setLocation, setProperties, table } from './fixture.ts'

const t = { namespace: ['ns'], name: 't' }

forEachDatabase((dialect) => {
  it(`${dialect}: 64 committers on two replicas all land, each exactly once`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    await test.catalog.createTable(['ns'], table('t'))
    let conflicts = 0
    const observer = { committed: () => undefined, conflict: () => void conflicts++ }
    const replicas = [await test.replica({ observer }), await test.replica({ observer })]
    let landed = 0
    const committer = async (index: number) => {
      const catalog = replicas[index % replicas.length]!
      for (;;) {
        // As an engine does: a snapshot on top of what was loaded, required to be still the newest.
        const { model } = (await catalog.loadTable(t)).document
        try {
          await catalog.commitTable(t, appendSnapshot(model, BigInt(index + 1), 'main'))
          landed++
          return
        } catch (error) {
          if (!isIcebergError(error, 'CommitFailedException')) throw error
        }
      }
    }
    await Promise.all(Array.from({ length: 64 }, (_, index) => committer(index)))
    expect(landed).toBe(64)
    const { model } = (await test.catalog.loadTable(t)).document
    const ids = model.snapshots.map(({ snapshotId }) => Number(snapshotId)).sort((a, b) => a - b)
    expect(ids).toEqual(Array.from({ length: 64 }, (_, index) => index + 1))
    expect(model.lastSequenceNumber).toBe(64n)
    expect(model.snapshotLog).toHaveLength(64)
    expect(model.metadataLog).toHaveLength(64)
  })

  it(`${dialect}: blind commits never fail: the server repeats them`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    await test.catalog.createTable(['ns'], table('t'))
    const replicas = [test.catalog, await test.replica(), await test.replica()]
    await Promise.all(
      Array.from({ length: 48 }, (_, index) =>
        replicas[index % 3]!.commitTable(t, setProperties({ [`key-${index}`]: String(index) })),
      ),
    )
    const { properties, metadataLog } = (await test.catalog.loadTable(t)).document.model
    expect(Object.keys(properties).filter((key) => key.startsWith('key-'))).toHaveLength(48)
    expect(metadataLog).toHaveLength(48)
  })

  it(`${dialect}: transactions over the same tables in any order neither deadlock nor mix`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    const names = ['a', 'b', 'c', 'd'].map((name) => ({ namespace: ['ns'], name }))
    for (const { name } of names) await test.catalog.createTable(['ns'], table(name))
    const replicas = [test.catalog, await test.replica()]
    await Promise.all(
      Array.from({ length: 24 }, async (_, index) => {
        const order = index % 2 ? names : names.toReversed()
        const changes = order.map((identifier) => ({
          identifier,
          change: setProperties({ last: String(index) }),
        }))
        await replicas[index % 2]!.commitTransaction(changes)
      }),
    )
    const last = await Promise.all(
      names.map(async (name) => (await test.catalog.loadTable(name)).document.model.properties.last),
    )
    expect(new Set(last).size).toBe(1)
  })

  it(`${dialect}: of creators with overlapping locations one wins`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    const replicas = [test.catalog, await test.replica()]
    const rounds = 30
    for (let round = 0; round < rounds; round++) {
      const base = `${test.location}/r${round}`
      const chosen = [
        base,
        `${base}/sub`,
        `${base}/`,
        `${base}/sub/deep`,
        `${base}/sub`,
        `${base}/x/../sub`,
        base,
        base,
      ]
      const results = await Promise.allSettled(
        chosen.map((location, index) =>
          replicas[index % 2]!.createTable(['ns'], table(`t${round}-${index}`, { location })),
        ),
      )
      const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      expect(winners).toHaveLength(1)
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason.type).toBe('LocationConflictException')
      }
    }
    const places = await test.database.reader
      .selectFrom('places')
      .select('place_key')
      .orderBy('place_key')
      .execute()
    expect(places).toHaveLength(rounds)
    for (const [index, { place_key }] of places.entries()) {
      if (index > 0) expect(place_key.startsWith(places[index - 1]!.place_key)).toBe(false)
    }
  })

  it(`${dialect}: of creators of one name one wins, whatever kind`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    const replicas = [test.catalog, await test.replica()]
    for (let round = 0; round < 20; round++) {
      const results = await Promise.allSettled(
        Array.from({ length: 6 }, (_, index) => replicas[index % 2]!.createTable(['ns'], table(`t${round}`))),
      )
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const result of results) {
        if (result.status === 'rejected')
          expect(result.reason.message).toBe(`Table already exists: ns.t${round}`)
      }
    }
  })

  it(`${dialect}: a drop takes the last commit with it, or comes before it`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    const replica = await test.replica()
    for (let round = 0; round < 40; round++) {
      const created = await test.catalog.createTable(['ns'], table('t'))
      const moved = Promise.withResolvers<void>()
      // Every other round the drop begins while the commit has moved the pointer, but is not committed yet.
      const alongside = async () => {
        moved.resolve()
        await sleep(round % 4)
      }
      const committing = replica.commitTable(t, setProperties({ round: String(round) }), { alongside })
      if (round % 2) await moved.promise
      const [committed, dropped] = await Promise.allSettled([committing, test.catalog.dropTable(t)])
      if (dropped.status !== 'fulfilled') throw dropped.reason
      if (committed.status === 'fulfilled') {
        expect(dropped.value.metadataLocation).toBe(committed.value.metadataLocation)
      } else {
        expect(committed.reason.type).toBe('NoSuchTableException')
        expect(dropped.value.metadataLocation).toBe(created.metadataLocation)
      }
    }
  })

  it(`${dialect}: of two that move to overlapping places one succeeds`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    const replica = await test.replica()
    const u = { namespace: ['ns'], name: 'u' }
    for (const name of ['t', 'u']) await test.catalog.createTable(['ns'], table(name))
    for (let round = 0; round < 10; round++) {
      const location = `${test.location}/m${round}`
      const alongside = () => sleep(3)
      const results = await Promise.allSettled([
        test.catalog.commitTable(t, setLocation(location), { alongside }),
        replica.commitTable(u, setLocation(`${location}/sub`), { alongside }),
      ])
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    }
  })

  it(`${dialect}: set-location and create at the same place never both succeed`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    await test.catalog.createTable(['ns'], table('t'))
    const replica = await test.replica()
    for (let round = 0; round < 40; round++) {
      const location = `${test.location}/s${round}`
      const results = await Promise.allSettled([
        test.catalog.commitTable(t, setLocation(location)),
        replica.createTable(['ns'], table(`u${round}`, { location: `${location}/sub` })),
      ])
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    }
  })

  it(`${dialect}: two dropping at once: one succeeds`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    const replica = await test.replica()
    for (let round = 0; round < 20; round++) {
      await test.catalog.createTable(['ns'], table('t'))
      const results = await Promise.allSettled([test.catalog.dropTable(t), replica.dropTable(t)])
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    }
  })
})
