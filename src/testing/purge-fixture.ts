import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { DroppedEntry, Mutation } from '../catalog/catalog.ts'
import { SqlCatalog } from '../catalog/sql/sql-catalog.ts'
import type { Database, Dialect } from '../database/database.ts'
import { insertPlace } from '../database/places.ts'
import type { Identifier } from '../iceberg/identifier.ts'
import type { Progress } from '../purge/ledger/leased.ts'
import { Ledger, type PurgeTerms } from '../purge/ledger/ledger.ts'
import type { PurgerContext } from '../purge/purger.ts'
import { SynchronousPurger } from '../purge/purgers/synchronous/synchronous-purger.ts'
import { type PurgeEnd, type PurgeRunner, runPurge } from '../purge/run-attempt.ts'
import { emptyTally } from '../purge/tally.ts'
import type { FileIO } from '../storage/file-io.ts'
import { LocalFileIO } from '../storage/local/local-file-io.ts'
import { createDatabase } from './databases.ts'
import { type TableOptions, type WrittenTable, writeTable } from './table-writer/table.ts'

const logger = pino({ level: 'silent' })

/** The progress of a worker that has done nothing. */
export const nothingDone: Progress = {
  counts: {},
  tally: emptyTally,
  checkpoint: undefined,
  expected: undefined,
  fruitful: false,
  failures: [],
  resolved: [],
}

/** Where a fixture's files are. */
export interface FixtureStore {
  readonly io: FileIO
  /** Holds nothing yet; without a slash at its end. */
  readonly location: string
}

/** A catalog, a ledger and a store together, as a server has them. */
export class PurgeFixture implements AsyncDisposable {
  readonly database: Database
  /** A temporary folder, which holds the files unless another store was given. */
  readonly folder: string
  /** Where the files are. */
  readonly base: string
  readonly io: FileIO
  readonly catalog: SqlCatalog
  readonly ledger: Ledger
  readonly #close: () => Promise<void>

  /** @param store the caller's, who closes it. @default local files */
  static async open(dialect: Dialect = 'sqlite', store?: FixtureStore): Promise<PurgeFixture> {
    const test = await createDatabase(dialect)
    return new PurgeFixture(test.database, store, () => test.close())
  }

  private constructor(database: Database, store: FixtureStore | undefined, close: () => Promise<void>) {
    this.database = database
    this.#close = close
    this.folder = mkdtempSync(join(tmpdir(), 'moulin-purge-'))
    this.base = store?.location ?? `file://${this.folder}`
    this.io = store?.io ?? new LocalFileIO([this.folder])
    this.ledger = new Ledger(database)
    this.catalog = new SqlCatalog({
      warehouse: 'main',
      location: `${this.base}/main`,
      database,
      io: this.io,
      logger,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  location(name: string): string {
    return `${this.base}/main/${name}`
  }

  /** Writes a table's files and registers it as `ns.NAME`. */
  async table(
    name: string,
    options?: TableOptions,
  ): Promise<WrittenTable & { readonly identifier: Identifier }> {
    const namespace = ['ns']
    await this.catalog.createNamespace(namespace, {}).catch((error: Error) => {
      if (error.name !== 'AlreadyExistsException') throw error
    })
    const table = await writeTable(this.io, this.location(name), options)
    await this.register(name, table.purge.metadataLocation)
    return { ...table, identifier: { namespace, name } }
  }

  async register(name: string, metadataLocation: string): Promise<void> {
    await this.catalog.registerTable(['ns'], { name, metadataLocation, overwrite: false })
  }

  /** Writes a table's files at a place of the warehouse, and registers it as `ns.NAME`. */
  async tableAt(name: string, place: string, options?: TableOptions): Promise<WrittenTable> {
    const location = `${this.base}/main${place === '' ? '' : `/${place}`}`
    const table = await writeTable(this.io, location, options)
    await this.register(name, table.purge.metadataLocation)
    return table
  }

  /** Records a purge of a table that never was, in any warehouse. */
  async record(warehouse: string, name: string, terms: Partial<PurgeTerms> = {}): Promise<string> {
    const dropped = {
      entryId: randomUUID(),
      kind: 'table' as const,
      warehouse,
      identifier: { namespace: ['ns'], name },
      uuid: randomUUID(),
      metadataLocation: `${this.location(name)}/metadata/0.metadata.json`,
      places: [],
    }
    const origin = { principal: 'p', requestId: 'r', client: 'c' }
    return await this.database.transaction((tx) =>
      this.ledger.record(tx, dropped, origin, { purger: 'x', maxAttempts: 5, ...terms }),
    )
  }

  /** Gives `ns.NAME` one more place. */
  async place(name: string, location: string): Promise<void> {
    await this.database.transaction(async (tx) => {
      const { id } = await tx
        .selectFrom('entries')
        .select('id')
        .where('name', '=', name)
        .executeTakeFirstOrThrow()
      await insertPlace(tx, { location, owned: false, entryId: id, now: 0 })
    })
  }

  /** Has the catalog's place of a table count as one that it assigned itself. */
  async own(name: string): Promise<void> {
    await this.database.transaction(async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable('places')
        .set({ owned: 1 })
        .where('location', '=', this.location(name))
        .executeTakeFirst()
      if (numUpdatedRows !== 1n) throw new Error(`There is no place of ${name}.`)
    })
  }

  /** Drops the table `ns.NAME` with purge, as the server does; gives the purge's id. */
  async drop(name: string, terms: Partial<PurgeTerms> = {}): Promise<string> {
    return await this.#recording(terms, (mutation) =>
      this.catalog.dropTable({ namespace: ['ns'], name }, mutation),
    )
  }

  /** The same with the view `ns.NAME`. */
  async dropView(name: string, terms: Partial<PurgeTerms> = {}): Promise<string> {
    return await this.#recording(terms, (mutation) =>
      this.catalog.dropView({ namespace: ['ns'], name }, mutation),
    )
  }

  async #recording(
    terms: Partial<PurgeTerms>,
    drop: (mutation: Mutation<DroppedEntry>) => Promise<unknown>,
  ): Promise<string> {
    let id = ''
    const origin = { principal: 'p', requestId: 'r', client: 'c' }
    await drop({
      alongside: async (tx, dropped) => {
        const given = { purger: 'synchronous', maxAttempts: 5, ...terms }
        id = await this.ledger.record(tx, dropped, origin, given)
      },
    })
    return id
  }

  async run(id: string, options: Partial<PurgeRunner> = {}): Promise<PurgeEnd> {
    return await runPurge(id, {
      database: this.database,
      ledger: this.ledger,
      purger: new SynchronousPurger(),
      io: this.io,
      logger,
      owner: 'test:1',
      ...options,
    })
  }

  /** Every file below the warehouse. */
  async files(): Promise<string[]> {
    const found: string[] = []
    for await (const file of this.io.list(this.base)) found.push(file.location)
    return found.toSorted()
  }
}

/** What a purger's factory gets from the worker of the fixture's warehouse. */
export function purgerContext({ base, ledger }: PurgeFixture): PurgerContext {
  return {
    logger,
    warehouse: { name: 'main', location: `${base}/main` },
    serverIdentity: 'test:1',
    works: true,
    deliver: (...message) => ledger.deliver(...message),
  }
}
