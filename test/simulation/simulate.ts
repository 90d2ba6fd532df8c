/**
 * One run of the engine in a world that a seed makes: tables of several shapes, a store that fails, workers that die and
 * sleep, operators who hold and release, a clock that jumps. Ends when all is quiet, and says what is wrong.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { SqlCatalog } from '../../src/catalog/sql/sql-catalog.ts'
import type { Database } from '../../src/database/database.ts'
import { isIcebergError } from '../../src/iceberg/errors.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { PurgeStateError } from '../../src/purge/ledger/operations.ts'
import { undrop } from '../../src/server/undrop.ts'
import { StorageUnavailableError } from '../../src/storage/file-io.ts'
import { Random } from '../../src/testing/random.ts'
import { FaultyStore, noFaults } from '../../src/testing/stores/faulty-store.ts'
import { type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { checkWorld, isErasedByTwin } from './checks.ts'
import { type SimulationDatabase, withTime } from './database.ts'
import { SimulatedWorker } from './worker.ts'

const leaseTime = 8_000
const epoch = 1_700_000_000_000

/** A table of the world. */
export interface Table {
  readonly name: string
  readonly written: WrittenTable
  readonly owned: boolean
  readonly ownsData: boolean
  /** A manifest list or manifest that is missing: the reach cannot be read. */
  readonly broken: boolean
  /** Files at its location that it does not name. */
  readonly strays: readonly string[]
  /** Files of another table that it names. */
  readonly borrowed: readonly string[]
  /** Undefined as long as it lives. */
  purge: string | undefined
}

export interface World {
  readonly warehouse: string
  readonly tables: readonly Table[]
  readonly store: FaultyStore
  /** What the store held before anything was dropped. */
  readonly before: ReadonlyMap<string, Buffer>
  readonly ledger: Ledger
  /** What went wrong while it ran. */
  readonly wrongs: string[]
}

/** Gives everything that is wrong; nothing for a good run. */
export async function simulate(seed: number, simulation: SimulationDatabase): Promise<string[]> {
  const random = new Random(seed)
  const restore = Math.random
  Math.random = () => random.next()
  try {
    return await new Simulation(seed, random, simulation).run()
  } finally {
    Math.random = restore
  }
}

class Simulation {
  readonly #random: Random
  readonly #clock = new VirtualClock()
  readonly #database: Database
  readonly #simulation: SimulationDatabase
  readonly #warehouse: string
  readonly #store: FaultyStore
  readonly #ledger: Ledger
  readonly #catalog: SqlCatalog
  readonly #tables: Table[] = []
  readonly #wrongs: string[] = []
  #workers: SimulatedWorker[] = []
  /** Milliseconds by which the database's clock has been set to another time. */
  #ahead = 0

  constructor(seed: number, random: Random, simulation: SimulationDatabase) {
    this.#random = random
    this.#simulation = simulation
    this.#warehouse = `w${seed}`
    this.#store = new FaultyStore(this.#clock, random)
    this.#database = withTime(simulation.database, () => epoch + this.#ahead + Math.floor(this.#clock.now()))
    this.#ledger = new Ledger(this.#database)
    this.#catalog = new SqlCatalog({
      warehouse: this.#warehouse,
      location: `s3://lake/${this.#warehouse}`,
      database: this.#database,
      io: this.#store,
      logger: pino({ level: 'silent' }),
      uuid: () => random.uuid(),
      clock: () => epoch,
    })
  }

  async run(): Promise<string[]> {
    await this.#makeTables()
    const before = new Map(this.#store.files)
    this.#watchDeletions()
    this.#store.faults = {
      refused: this.#random.of([0, 0.05, 0.3]),
      lostReply: this.#random.of([0, 0.05, 0.3]),
      keyFails: this.#random.of([0, 0.02, 0.2]),
      latency: this.#random.of([10, 500, 4_000]),
    }
    for (let count = this.#random.between(1, 3); count > 0; count--) await this.#addWorker()
    const steps = this.#random.between(5, 60)
    for (let step = 0; step < steps; step++) {
      await this.#event()
      await this.#pass(this.#random.next() ** 2 * 4_000)
    }
    await this.#calmDown()
    for (const worker of this.#workers) await this.#letPass(worker.stop())
    const world: World = {
      warehouse: this.#warehouse,
      tables: this.#tables,
      store: this.#store,
      before,
      ledger: this.#ledger,
      wrongs: this.#wrongs,
    }
    return await checkWorld(world)
  }

  async #makeTables(): Promise<void> {
    const random = this.#random
    await this.#catalog.createNamespace(['ns'], {})
    const count = random.between(2, 5)
    for (let number = 0; number < count; number++) {
      const name = `t${number}`
      const lender = random.chance(0.4) ? this.#tables.at(-1) : undefined
      // Some lie in the folder of the one before.
      const folder = random.chance(0.2) && number > 0 ? `t${number - 1}/nested` : name
      const location = `s3://lake/${this.#warehouse}/${folder}`
      const borrowed = lender?.written.files.data.slice(0, 2) ?? []
      const ownsData = random.chance(0.85)
      const written = await writeTable(this.#store, location, {
        formatVersion: random.of([1, 2, 3]),
        snapshots: random.between(0, 3),
        filesPerSnapshot: random.between(1, 7),
        codec: 'null',
        borrowed,
        properties: ownsData ? {} : { 'gc.enabled': 'false' },
      })
      await this.#catalog.registerTable(['ns'], {
        name,
        metadataLocation: written.purge.metadataLocation,
        overwrite: false,
      })
      const owned = random.chance(0.6)
      if (owned) await this.#own(location)
      const strays: string[] = []
      for (let stray = random.between(0, 2); stray > 0; stray--) {
        strays.push(`${location}/data/stray-${stray}.parquet`)
        await this.#store.write(strays.at(-1)!, Buffer.from('stray'))
      }
      const broken = written.manifests.length > 0 && random.chance(0.1)
      if (broken) this.#store.files.delete(random.of(written.manifests).path)
      this.#tables.push({
        name,
        written,
        owned,
        ownsData,
        broken,
        strays,
        borrowed: written.manifests.length > 0 ? borrowed : [],
        purge: undefined,
      })
    }
  }

  async #own(location: string): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await tx.updateTable('places').set({ owned: 1 }).where('location', '=', location).execute()
    })
  }

  /** Before anything of a table goes, its purge has to be at work: not live, not held, not over. */
  #watchDeletions(): void {
    const holdersOf = (path: string) =>
      this.#tables.filter(
        ({ written, borrowed }) =>
          path.startsWith(`${written.metadata.location}/`) || borrowed.includes(path),
      )
    this.#store.onDelete = (path) => {
      const states = holdersOf(path)
        .flatMap(({ purge }) => purge ?? [])
        .map((id) => this.#simulation.stateOf(id))
      if (!states.includes('running')) {
        this.#wrongs.push(`${path} was deleted while its purge was ${states.join(', ') || 'none'}`)
      }
    }
  }

  async #addWorker(): Promise<void> {
    const worker = new SimulatedWorker({
      name: `worker-${this.#workers.length}:${this.#random.between(0, 9_999)}`,
      warehouse: this.#warehouse,
      database: this.#database,
      io: this.#store,
      clock: this.#clock,
      leaseTime,
    })
    this.#workers.push(worker)
    await worker.start()
  }

  async #event(): Promise<void> {
    const random = this.#random
    const roll = random.next()
    const purges = this.#tables.flatMap(({ purge }) => purge ?? [])
    if (roll < 0.25) await this.#drop()
    else if (roll < 0.35) await this.#replaceWorker()
    else if (roll < 0.45) random.of(this.#workers).pause()
    else if (roll < 0.6) random.of(this.#workers).resume()
    else if (roll < 0.65) this.#store.blocked.add(random.of([...this.#store.files.keys()]))
    else if (roll < 0.7) this.#store.blocked.clear()
    else if (roll < 0.73) this.#ahead += random.between(-2, 3) * leaseTime
    else if (roll < 0.8) await this.#registerTwin()
    else if (purges.length > 0)
      await this.#operate(random.of(purges), random.of(['hold', 'release', 'retry', 'undrop', 'cancel']))
  }

  /** Another table with the files of one, as long as that is allowed. */
  async #registerTwin(): Promise<void> {
    const table = this.#random.of(this.#tables)
    // Of what was cancelled, others may have erased what they name; nobody looks for that when it is registered again.
    if (table.purge && (await this.#ledger.get(table.purge))!.state === 'cancelled') return
    const name = `${table.name}-twin${this.#tables.length}`
    const { metadataLocation } = table.written.purge
    try {
      await this.#letPass(this.#catalog.registerTable(['ns'], { name, metadataLocation, overwrite: false }))
    } catch (error) {
      // Its files are doomed, or gone; or the store did not answer.
      if (!isIcebergError(error) && !(error instanceof StorageUnavailableError)) throw error
      return
    }
    this.#tables.push({ ...table, name, purge: undefined })
  }

  async #drop(): Promise<void> {
    const living = this.#tables.filter(({ purge }) => purge === undefined)
    // One stays, so that there is something to be lost.
    if (living.length < 2) return
    const table = this.#random.of(living)
    const origin = { principal: 'p', requestId: 'r', client: 'c' }
    const retention = this.#random.chance(0.2) ? 5_000 : 0
    await this.#catalog.dropTable(
      { namespace: ['ns'], name: table.name },
      {
        alongside: async (tx, dropped) => {
          const terms = { purger: 'sql-async', maxAttempts: 4, retention }
          table.purge = await this.#ledger.record(tx, dropped, origin, terms)
        },
      },
    )
  }

  async #replaceWorker(): Promise<void> {
    const at = this.#random.between(0, this.#workers.length - 1)
    this.#workers.splice(at, 1)[0]!.kill()
    await this.#addWorker()
  }

  async #operate(id: string, operation: 'hold' | 'release' | 'retry' | 'undrop' | 'cancel'): Promise<void> {
    try {
      if (operation === 'hold') await this.#ledger.hold(id, 'simulated')
      else if (operation === 'undrop') await this.#undrop(id)
      else await this.#ledger[operation](id)
    } catch (error) {
      const isRefused = error instanceof PurgeStateError || isIcebergError(error)
      if (!isRefused && !(error instanceof StorageUnavailableError)) throw error
    }
  }

  async #undrop(id: string): Promise<void> {
    const warehouses = new Map([[this.#warehouse, { catalog: this.#catalog }]])
    const undropping = undrop({ ledger: this.#ledger, warehouses: warehouses as never }, id)
    await this.#letPass(undropping)
    this.#tables.find(({ purge }) => purge === id)!.purge = undefined
  }

  /** No faults any more: everything that can end does. */
  async #calmDown(): Promise<void> {
    this.#store.faults = { ...noFaults, latency: 10 }
    this.#store.blocked.clear()
    for (const worker of this.#workers) worker.resume()
    await this.#addWorker()
    for (let round = 0; round < 120; round++) {
      await this.#pass(2_000)
      let open = 0
      for (const table of this.#tables) {
        const { purge } = table
        if (purge === undefined) continue
        const record = (await this.#ledger.get(purge))!
        const isLeftOver = table.broken || (await isErasedByTwin(this.#ledger, this.#tables, table))
        if (record.state === 'held' && record.heldBy === 'operator') await this.#operate(purge, 'release')
        if (record.state === 'failed' && !isLeftOver) await this.#operate(purge, 'retry')
        const over =
          ['succeeded', 'cancelled'].includes(record.state) ||
          (isLeftOver && record.state === 'failed') ||
          record.heldBy === 'guard'
        if (!over) open++
      }
      if (open === 0) return
    }
  }

  /** Lets time pass, and everybody do what they do meanwhile. */
  async #pass(milliseconds: number): Promise<void> {
    const end = this.#clock.now() + milliseconds
    for (;;) {
      await settle()
      const next = this.#clock.nextWaking
      if (next === undefined || this.#clock.now() + next > end) break
      await this.#clock.advance(next)
    }
    await this.#clock.advance(Math.max(0, end - this.#clock.now()))
  }

  async #letPass<T>(work: Promise<T>): Promise<T> {
    let done = false
    const watched = work.finally(() => {
      done = true
    })
    // It may fail before it is looked at.
    watched.catch(() => undefined)
    for (let round = 0; !done && round < 1_000; round++) await this.#pass(100)
    return await watched
  }
}

/** What is ready to run runs. Everything here is in memory and takes a few turns of the event loop. */
async function settle(): Promise<void> {
  for (let count = 0; count < 12; count++) await turn()
}
