import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { SqlCatalog } from '../../src/catalog/sql/sql-catalog.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { SynchronousPurger } from '../../src/purge/purgers/synchronous/synchronous-purger.ts'
import { runAttempt } from '../../src/purge/run-attempt.ts'
import { undrop } from '../../src/server/undrop.ts'
import { createDatabase, dialects } from '../../src/testing/databases.ts'
import { Random } from '../../src/testing/random.ts'
import { FaultyStore } from '../../src/testing/stores/faulty-store.ts'
import { writeTable } from '../../src/testing/table-writer/table.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { setLocation } from '../catalog/fixture.ts'

/** Rounds of one run; more with MOULIN_RACES. */
const races = Number(process.env.MOULIN_RACES ?? 100)

const request = {
  schema: { type: 'struct', fields: [] },
  partitionSpec: undefined,
  writeOrder: undefined,
  properties: {},
}

type Outcome = 'done' | 'refused'

/** Refusals are answers of 4xx; everything else is a failure of the test. */
async function outcome(work: Promise<unknown>): Promise<Outcome> {
  try {
    await work
    return 'done'
  } catch (error) {
    const { status } = error as { status?: number }
    if (status !== undefined && status >= 400 && status < 500) return 'refused'
    throw error
  }
}

describe.each(dialects)('the guard on %s', (dialect) => {
  it(
    `loses no race against registering, creating, moving and renaming, in ${races} rounds`,
    async () => {
      await using test = await createDatabase(dialect)
      // Another replica, with connections of its own.
      const databases = [test.database, await test.another()]
      const store = new FaultyStore(new VirtualClock(), new Random(1))
      const catalogs = databases.map(
        (database) =>
          new SqlCatalog({
            warehouse: 'main',
            location: 's3://lake/main',
            database,
            io: store,
            logger: pino({ level: 'silent' }),
          }),
      )
      const ledger = new Ledger(test.database)
      await catalogs[0]!.createNamespace(['ns'], {})
      const random = new Random(7)
      const seen = { renamed: 0, created: 0, moved: 0, held: 0, erased: 0 }

      for (let race = 0; race < races; race++) {
        const name = `t${race}`
        const location = `s3://lake/main/${name}`
        const table = await writeTable(store, location, { snapshots: 1, filesPerSnapshot: 2, codec: 'null' })
        const { metadataLocation } = table.purge
        await catalogs[0]!.registerTable(['ns'], { name, metadataLocation, overwrite: false })
        const mover = { namespace: ['ns'], name: `mover${race}` }
        await catalogs[0]!.createTable(['ns'], { ...request, name: mover.name, location: undefined })
        let id = ''
        const drop = async () => {
          await catalogs[race % 2]!.dropTable(
            { namespace: ['ns'], name },
            {
              alongside: async (tx, dropped) => {
                const origin = { principal: 'p', requestId: 'r', client: 'c' }
                id = await ledger.record(tx, dropped, origin, { purger: 'x', maxAttempts: 5 })
              },
            },
          )
          const lease = await ledger.claim(id, 'w:1', 60_000)
          if (lease) {
            await runAttempt(lease, {
              database: test.database,
              ledger,
              purger: new SynchronousPurger(),
              io: store,
              logger: pino({ level: 'silent' }),
              owner: 'w:1',
            })
          }
        }
        const other = catalogs[(race + 1) % 2]!
        const files = Object.values(table.files).flat()
        const results = new Map<number, Outcome>()
        const over = { ...request, name: `over${race}`, location: `${location}/data` }
        /** Asks again as long as the purge may be at work: not before its end is the place free. */
        const takePlace = async (take: () => Promise<unknown>): Promise<Outcome> => {
          for (;;) {
            const isOver = results.has(0)
            const result = await outcome(take())
            if (result === 'done') expect(files.filter((path) => store.files.has(path))).toEqual([])
            if (result === 'done' || isOver) return result
            await sleep(dialect === 'postgres' ? 50 : 1)
          }
        }
        const twin = { name: `twin${race}`, metadataLocation, overwrite: false }
        const renamed = { namespace: ['ns'], name: `new${race}` }
        const works: (() => Promise<Outcome>)[] = [
          () => outcome(drop()),
          () => outcome(other.registerTable(['ns'], twin)),
          () => takePlace(() => other.createTable(['ns'], over)),
          () => outcome(other.renameTable({ namespace: ['ns'], name }, renamed)),
          () => takePlace(() => other.commitTable(mover, setLocation(`${location}/metadata`))),
        ]
        // A rename that comes first ends the race: not in every round.
        const order = (race % 3 === 0 ? [0, 1, 2, 3, 4] : [0, 1, 2, 4]).toSorted(() => random.next() - 0.5)
        await Promise.all(
          order.map(async (index) => {
            // Turns of the event loop tell SQLite's steps apart, milliseconds the round trips of PostgreSQL.
            for (let turns = random.between(0, 6); turns > 0; turns--) await turn()
            if (dialect === 'postgres') await sleep(random.between(0, 25))
            results.set(index, await works[index]!())
          }),
        )

        const there = files.filter((path) => store.files.has(path))
        const registered = results.get(1) === 'done'
        const created = results.get(2) === 'done'
        const moved = results.get(4) === 'done'
        const state = id === '' ? undefined : (await ledger.get(id))?.state
        const context = `round ${race}: ${JSON.stringify([...results])}, purge ${state}`
        if (results.get(0) === 'refused') {
          expect(results.get(3), context).toBe('done')
          // The rename came first: the table lives under its new name.
          seen.renamed++
          expect(await other.tableExists(renamed), context).toBe(true)
          expect(there, context).toEqual(files)
        } else if (registered && state === 'held') {
          // Both are the same table: nothing may go.
          seen.held++
          expect(there, context).toEqual(files)
        } else {
          // No entry lives whose files are gone.
          expect(registered, context).toBe(false)
          seen.erased++
          expect(state, context).toBe('succeeded')
          expect(there, context).toEqual([])
        }
        expect([created, moved], context).toEqual(Array(2).fill(state === 'succeeded'))
        if (moved) seen.moved++
        if (created) {
          // What it wrote is its own.
          seen.created++
          const { metadataLocation: own } = await other.loadTable({ namespace: ['ns'], name: `over${race}` })
          expect(store.files.has(own!), context).toBe(true)
        }
      }
      console.log(`${dialect}: ${races} races, ${JSON.stringify(seen)}`)
      expect(
        Object.entries(seen).filter(([, times]) => times === 0),
        'endings that no round had',
      ).toEqual([])
    },
    60_000 + races * 1_000,
  )

  it(
    `loses no race against undoing the drop of a twin, in ${races} rounds`,
    async () => {
      await using test = await createDatabase(dialect)
      const databases = [test.database, await test.another()]
      const store = new FaultyStore(new VirtualClock(), new Random(1))
      const replicas = databases.map((database) => ({
        database,
        ledger: new Ledger(database),
        catalog: new SqlCatalog({
          warehouse: 'main',
          location: 's3://lake/main',
          database,
          io: store,
          logger: pino({ level: 'silent' }),
        }),
      }))
      await replicas[0]!.catalog.createNamespace(['ns'], {})
      const random = new Random(11)
      const seen = { restored: 0, erased: 0 }

      for (let race = 0; race < races; race++) {
        const [worker, server] = race % 2 === 0 ? [replicas[0]!, replicas[1]!] : [replicas[1]!, replicas[0]!]
        const names = [`first${race}`, `second${race}`]
        const table = await writeTable(store, `s3://lake/main/t${race}`, {
          snapshots: 1,
          filesPerSnapshot: 2,
          codec: 'null',
        })
        const { metadataLocation } = table.purge
        const ids: string[] = []
        for (const name of names) {
          await server.catalog.registerTable(['ns'], { name, metadataLocation, overwrite: false })
        }
        // The twin's drop can be undone of itself, or as long as nobody has claimed its purge.
        const retention = race % 3 === 0 ? 0 : 60_000
        for (const [index, name] of names.entries()) {
          await server.catalog.dropTable(
            { namespace: ['ns'], name },
            {
              alongside: async (tx, dropped) => {
                const origin = { principal: 'p', requestId: 'r', client: 'c' }
                const terms = { purger: 'x', maxAttempts: 5, retention: index * retention }
                ids.push(await server.ledger.record(tx, dropped, origin, terms))
              },
            },
          )
        }
        const [first, second] = ids as [string, string]
        const wait = async () => {
          for (let turns = random.between(0, 6); turns > 0; turns--) await turn()
          if (dialect === 'postgres') await sleep(random.between(0, 8))
        }
        const purge = async () => {
          await wait()
          const lease = await worker.ledger.claim(first, 'w:1', 60_000)
          if (!lease) return
          await runAttempt(lease, {
            database: worker.database,
            ledger: worker.ledger,
            purger: new SynchronousPurger(),
            io: store,
            logger: pino({ level: 'silent' }),
            owner: 'w:1',
          })
        }
        const warehouses = new Map([['main', { catalog: server.catalog }]]) as never
        const restore = async () => {
          await wait()
          return await outcome(undrop({ ledger: server.ledger, warehouses }, second))
        }
        const [, restored] = await Promise.all([purge(), restore()])

        const files = Object.values(table.files).flat()
        const there = files.filter((path) => store.files.has(path))
        const state = (await server.ledger.get(first))?.state
        const context = `round ${race}: undrop ${restored}, purge ${state}`
        if (restored === 'done') {
          seen.restored++
          expect(state, context).toBe('held')
          expect(there, context).toEqual(files)
        } else {
          seen.erased++
          expect(state, context).toBe('succeeded')
          expect(there, context).toEqual([])
        }
        const lives = await server.catalog.tableExists({ namespace: ['ns'], name: names[1]! })
        expect(lives, context).toBe(restored === 'done')
      }
      console.log(`${dialect}: ${races} races with undrop, ${JSON.stringify(seen)}`)
      expect([seen.restored > 0, seen.erased > 0]).toEqual([true, true])
    },
    60_000 + races * 1_000,
  )
})
