import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import type { Database } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/open.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import type { Purge } from '../../src/purge/purger.ts'
import { type KafkaPurger, kafkaPurger } from '../../src/purge/purgers/kafka/kafka-purger.ts'
import { planOf } from '../../src/purge/purgers/kafka/plan.ts'
import { runPurge } from '../../src/purge/run-attempt.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { s3Storage } from '../../src/testing/stores/fauxqs.ts'

const logger = pino({ level: 'silent' })

/** The server's side of the purger, with a ledger of its own. */
export class BenchServer {
  readonly databaseUrl: string
  readonly #folder: string
  readonly #database: Database
  readonly #ledger: Ledger
  readonly #io: S3FileIO
  readonly #purger: KafkaPurger

  static async start(endpoint: string, options: Readonly<Record<string, unknown>>): Promise<BenchServer> {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-bench-'))
    const url = `sqlite:${join(folder, 'ledger.db')}`
    const database = await openDatabase(url)
    await migrate(database)
    return new BenchServer({ folder, url, database, endpoint, options })
  }

  private constructor(parts: {
    readonly folder: string
    readonly url: string
    readonly database: Database
    readonly endpoint: string
    readonly options: Readonly<Record<string, unknown>>
  }) {
    const { folder, url, database, endpoint, options } = parts
    const ledger = new Ledger(database)
    this.databaseUrl = url
    this.#folder = folder
    this.#database = database
    this.#ledger = ledger
    this.#io = new S3FileIO(s3Storage(endpoint, 'test', 'test'))
    this.#purger = kafkaPurger(options, {
      logger,
      serverIdentity: 'bench:1',
      warehouse: { name: 'main', location: 's3://lake' },
      works: true,
      deliver: (id, messages) => ledger.deliver(id, messages),
    })
  }

  /** Seconds from the publishing of a purge's tasks to the last receipt. Throws Error when the purge does not succeed then. */
  async erase(purge: Purge): Promise<number> {
    const id = await this.#record(purge)
    await this.#attempt(id, 'handed_off')
    const { published, tasks } = await this.#plan(id)
    while ((await this.#receipts(id)) < tasks) await sleep(5)
    const seconds = (Date.now() - published) / 1_000
    await this.#attempt(id, 'succeeded')
    return seconds
  }

  async close(): Promise<void> {
    await this.#purger.close()
    await this.#io.close()
    await this.#database.close()
    rmSync(this.#folder, { recursive: true })
  }

  async #record({ id, name, namespace, metadataLocation, uuid, locations }: Purge): Promise<string> {
    const dropped = {
      entryId: id,
      kind: 'table' as const,
      warehouse: 'main',
      identifier: { namespace, name },
      uuid,
      metadataLocation,
      places: locations.map((place) => ({ id: randomUUID(), ...place })),
    }
    const origin = { principal: 'bench', requestId: 'bench', client: 'bench' }
    return await this.#database.transaction((tx) =>
      this.#ledger.record(tx, dropped, origin, { purger: 'kafka', maxAttempts: 1 }),
    )
  }

  async #attempt(id: string, wanted: 'handed_off' | 'succeeded'): Promise<void> {
    const end = await runPurge(id, {
      database: this.#database,
      ledger: this.#ledger,
      purger: this.#purger,
      io: this.#io,
      logger,
      owner: 'bench:1',
    })
    if (end.state !== wanted) throw new Error(`The purge is ${end.state}: ${end.message}`)
  }

  async #plan(id: string): Promise<{ readonly published: number; readonly tasks: number }> {
    const { checkpoint } = await this.#database.reader
      .selectFrom('purges')
      .select('checkpoint')
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    const { published, tasks } = planOf(JSON.parse(checkpoint!))!
    return { published: published!, tasks: tasks.length }
  }

  async #receipts(id: string): Promise<number> {
    const { count } = await this.#database.reader
      .selectFrom('purge_messages')
      .select((select) => select.fn.countAll<number>().as('count'))
      .where('purge_id', '=', id)
      .executeTakeFirstOrThrow()
    return count
  }
}
