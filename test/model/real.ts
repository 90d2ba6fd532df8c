import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { SqlCatalog } from '../../src/catalog/sql/sql-catalog.ts'
import type { Database } from '../../src/database/database.ts'
import { verifyCertificates } from '../../src/purge/certificate/verify.ts'
import type { Lease } from '../../src/purge/ledger/claims.ts'
import type { Progress } from '../../src/purge/ledger/leased.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { emptyTally } from '../../src/purge/tally.ts'
import { Random } from '../../src/testing/random.ts'
import { FaultyStore } from '../../src/testing/stores/faulty-store.ts'
import { type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { withTime } from '../simulation/database.ts'

/** A table of the real ledger and catalog, and every lease that was ever given for its purge. */
export interface RealTable {
  readonly name: string
  readonly written: WrittenTable
  purge: string | undefined
  leases: Lease[]
  twins: string[]
}

/** The real thing, with a clock that the test sets. */
export class Real {
  now = 1_000_000
  readonly warehouse: string
  readonly database: Database
  readonly ledger: Ledger
  readonly catalog: SqlCatalog
  readonly tables: RealTable[] = []
  readonly #store = new FaultyStore(new VirtualClock(), new Random(1))

  static async make(database: Database, tables: number): Promise<Real> {
    const real = new Real(database)
    await real.#make(tables)
    return real
  }

  private constructor(database: Database) {
    this.warehouse = `w-${randomUUID()}`
    this.database = withTime(database, () => this.now)
    this.ledger = new Ledger(this.database)
    this.catalog = new SqlCatalog({
      warehouse: this.warehouse,
      location: this.#location(''),
      database: this.database,
      io: this.#store,
      logger: pino({ level: 'silent' }),
    })
  }

  location(index: number): string {
    return this.#location(`t${index}`)
  }

  async drop(table: RealTable, retention: number): Promise<void> {
    const origin = { principal: 'p', requestId: 'r', client: 'c' }
    await this.catalog.dropTable(
      { namespace: ['ns'], name: table.name },
      {
        alongside: async (tx, dropped) => {
          const terms = { purger: 'x', maxAttempts: 3, retention }
          table.purge = await this.ledger.record(tx, dropped, origin, terms)
        },
      },
    )
    table.leases = []
  }

  progress(lease: Lease, deleted: number): Progress {
    const { tally } = lease
    const before = tally.counts.data?.deleted ?? 0
    return {
      counts: {},
      tally: { ...emptyTally, counts: { data: { deleted: before + deleted } } },
      checkpoint: { stage: 'data', files: deleted },
      expected: undefined,
      fruitful: deleted > 0,
      failures: [],
      resolved: [],
    }
  }

  /** Holders of places at the location of a table, or inside it. */
  async places(index: number): Promise<{ entries: number; purges: (string | null)[] }> {
    const rows = await this.database.reader
      .selectFrom('places')
      .select(['entry_id', 'purge_id'])
      .where('location', '=', this.location(index))
      .execute()
    const purges = rows.filter((row) => row.purge_id !== null).map((row) => row.purge_id)
    return { entries: rows.length - purges.length, purges }
  }

  /** Number of certificates of this warehouse. Throws when their chain is broken. */
  async certificates(): Promise<number> {
    const sealed = await this.ledger.certificates(this.warehouse)
    const { problems } = verifyCertificates(sealed.map((each) => JSON.stringify(each)))
    if (problems.length > 0) throw new Error(problems[0]!.message)
    return sealed.length
  }

  async #make(count: number): Promise<void> {
    await this.catalog.createNamespace(['ns'], {})
    for (let index = 0; index < count; index++) {
      const written = await writeTable(this.#store, this.location(index), {
        snapshots: 0,
        codec: 'null',
      })
      const name = `t${index}`
      const { metadataLocation } = written.purge
      await this.catalog.registerTable(['ns'], { name, metadataLocation, overwrite: false })
      this.tables.push({ name, written, purge: undefined, leases: [], twins: [] })
    }
  }

  #location(path: string): string {
    return `s3://lake/${this.warehouse}${path === '' ? '' : `/${path}`}`
  }
}
