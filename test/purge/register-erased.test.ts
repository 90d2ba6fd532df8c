import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { SqlCatalog } from '../../src/catalog/sql/sql-catalog.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { SynchronousPurger } from '../../src/purge/purgers/synchronous/synchronous-purger.ts'
import { runPurge } from '../../src/purge/run-attempt.ts'
import { createDatabase, dialects } from '../../src/testing/databases.ts'
import { Random } from '../../src/testing/random.ts'
import { FaultyStore } from '../../src/testing/stores/faulty-store.ts'
import { type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

/** As S3 is: asking for a file costs a request, so that the catalog trusts what it remembers. */
class ObjectStore extends FaultyStore {
  override readonly capabilities = {
    cheapStat: false,
    conditionalWrite: true,
    directories: false,
    deleteBatchSize: 1_000,
  }
  /** Told when the bytes of a file have been read, before the reader has them. */
  afterRead: (location: string) => Promise<void> = async () => undefined

  override async read(location: string): Promise<Buffer> {
    const bytes = await super.read(location)
    await this.afterRead(location)
    return bytes
  }
}

const logger = pino({ level: 'silent' })
const identifier = { namespace: ['ns'], name: 't' }

describe.each(dialects)('registering a metadata file of a purged table on %s', (dialect) => {
  async function withTable(
    test: (world: {
      store: ObjectStore
      catalog: SqlCatalog
      table: WrittenTable
      purge: () => Promise<void>
    }) => Promise<void>,
  ): Promise<void> {
    await using opened = await createDatabase(dialect)
    const { database } = opened
    const store = new ObjectStore(new VirtualClock(), new Random(1))
    const ledger = new Ledger(database)
    const options = { warehouse: 'main', location: 's3://lake/main', database, io: store, logger }
    const catalog = new SqlCatalog(options)
    await catalog.createNamespace(['ns'], {})
    const table = await writeTable(store, 's3://lake/main/t')
    const { metadataLocation } = table.purge
    await catalog.registerTable(['ns'], { name: 't', metadataLocation, overwrite: false })
    const purge = async () => {
      let id = ''
      const origin = { principal: 'p', requestId: 'r', client: 'c' }
      const alongside: Parameters<SqlCatalog['dropTable']>[1] = {
        alongside: async (tx, dropped) => {
          id = await ledger.record(tx, dropped, origin, { purger: 'synchronous', maxAttempts: 5 })
        },
      }
      await catalog.dropTable(identifier, alongside)
      const runner = { database, ledger, purger: new SynchronousPurger(), io: store, logger, owner: 'w:1' }
      await runPurge(id, runner)
      expect((await ledger.get(id))?.state).toBe('succeeded')
      expect([...store.files.keys()]).toEqual([])
    }
    await test({ store, catalog, table, purge })
  }

  it('is refused where the server still remembers the file', () =>
    withTable(async ({ catalog, table, purge }) => {
      await catalog.loadTable(identifier)
      await purge()
      const { metadataLocation } = table.purge
      await expect(
        catalog.registerTable(['ns'], { name: 'again', metadataLocation, overwrite: false }),
      ).rejects.toMatchObject({ type: 'NotFoundException' })
    }))

  it('is refused where an older one was read just before the purge', () =>
    withTable(async ({ store, catalog, table, purge }) => {
      const older = table.files.metadata[0]!
      // Older than the pointer, and the same table.
      store.files.set(older, store.files.get(table.purge.metadataLocation)!)
      store.afterRead = async (location) => {
        if (location !== older) return
        store.afterRead = async () => undefined
        await purge()
      }
      await expect(
        catalog.registerTable(['ns'], { name: 'again', metadataLocation: older, overwrite: false }),
      ).rejects.toMatchObject({ type: 'NotFoundException' })
    }))
})
