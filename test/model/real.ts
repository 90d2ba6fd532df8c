import { randomUUID } from 'node:crypto'
import type { Selectable } from 'kysely'
import { pino } from 'pino'
import { SqlCatalog } from '../../src/catalog/sql/sql-catalog.ts'
import type { Database } from '../../src/database/database.ts'
import type { PurgeTable } from '../../src/database/schema/purges.ts'
import { verifyCertificates } from '../../src/purge/certificate/verify.ts'
import type { Lease } from '../../src/purge/ledger/claims.ts'
import type { Progress } from '../../src/purge/ledger/leased.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { Random } from '../../src/testing/random.ts'
import { FaultyStore } from '../../src/testing/stores/faulty-store.ts'
import { type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { withTime } from '../simulation/database.ts'

/** In every table's properties; never in the ledger. */
export const secret = 'hunter2'
export const origin = { principal: 'alice', requestId: 'request-7', client: 'a client' }

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
  /** No fault is switched on: what fails, a command says. */
  readonly store = new FaultyStore(new VirtualClock(), new Random(1))

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
      io: this.store,
      logger: pino({ level: 'silent' }),
    })
  }

  location(index: number): string {
    return this.#location(`t${index}`)
  }

  async drop(table: RealTable, retention: number): Promise<void> {
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

  /** What a worker knows that has done nothing since it took the lease. */
  progress({ tally, checkpoint, expected }: Lease): Progress {
    return { counts: {}, tally, checkpoint, expected, fruitful: false, failures: [], resolved: [] }
  }

  /** What the ledger has of a purge. */
  async row(id: string): Promise<Selectable<PurgeTable>> {
    return await this.database.reader
      .selectFrom('purges')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
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
      const written = await writeTable(this.store, this.location(index), {
        snapshots: 1,
        filesPerSnapshot: 4,
        codec: 'null',
        properties: { 's3.secret-access-key': secret },
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
