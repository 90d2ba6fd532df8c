import { setTimeout as sleep } from 'node:timers/promises'
import type { Selectable } from 'kysely'
import { pino } from 'pino'
import { expect } from 'vitest'
import type { PurgeTable } from '../../src/database/schema/purges.ts'
import { type KafkaPurger, kafkaPurger } from '../../src/purge/purgers/kafka/kafka-purger.ts'
import { kafkaOptions } from '../../src/purge/purgers/kafka/options.ts'
import { TaskConsumer } from '../../src/purge/purgers/kafka/task-consumer.ts'
import type { PurgeEnd } from '../../src/purge/run-attempt.ts'
import type { FileIO } from '../../src/storage/file-io.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

const logger = pino({ level: 'silent' })
/** Milliseconds that a purge may take to get anywhere. */
const patience = 90_000

/** A server's side of the purger, over a real ledger and local files, with consumers in this process. */
export class KafkaFixture implements AsyncDisposable {
  readonly purges: PurgeFixture
  readonly purger: KafkaPurger
  readonly #options: Readonly<Record<string, unknown>>
  readonly #consumers: TaskConsumer[] = []
  readonly #logged: string[] = []

  static async open(options: Readonly<Record<string, unknown>>): Promise<KafkaFixture> {
    return new KafkaFixture(await PurgeFixture.open('sqlite'), options)
  }

  private constructor(purges: PurgeFixture, options: Readonly<Record<string, unknown>>) {
    this.purges = purges
    this.#options = options
    this.purger = kafkaPurger(options, {
      warehouse: { name: 'main', location: `file://${purges.folder}/main` },
      logger,
      serverIdentity: 'test:1',
      works: true,
      deliver: (...message) => purges.ledger.deliver(...message),
    })
  }

  /** One more consumer of the tasks. */
  work(io: FileIO = this.purges.io): void {
    const { database } = this.purges
    const warehouses = new Map([['main', { io, pace: (files: FileIO) => files, deleteConcurrency: 4 }]])
    const log = pino({ level: 'info' }, { write: (line) => void this.#logged.push(line) })
    const consumer = `consumer-${this.#consumers.length}`
    this.#consumers.push(
      new TaskConsumer(kafkaOptions(this.#options), { database, logger: log, consumer, warehouses }),
    )
  }

  /** One attempt, at once, whatever the purge waits for. */
  async attempt(id: string): Promise<PurgeEnd> {
    return await this.purges.run(id, { purger: this.purger, backoff: { base: 1, max: 1 } })
  }

  /** Attempts until the purge is in one of these states, and as far as `isSo` asks. */
  async until(id: string, isSo: (end: PurgeEnd) => boolean | Promise<boolean>): Promise<PurgeEnd> {
    for (const deadline = performance.now() + patience; ; await sleep(50)) {
      const end = await this.attempt(id)
      if (await isSo(end)) return end
      expect(performance.now(), `the purge is ${end.state}: ${end.message}`).toBeLessThan(deadline)
    }
  }

  async finished(id: string): Promise<PurgeEnd> {
    return await this.until(id, ({ state }) => state === 'succeeded' || state === 'failed')
  }

  /** What the consumers have said of tasks that were not to be done. */
  refused(): string[] {
    return this.#logged.filter((line) => line.includes('not to be done any more'))
  }

  /** All that the consumers have logged. */
  logged(): string {
    return this.#logged.join('')
  }

  /** The purge's row of the ledger. */
  async row(id: string): Promise<Selectable<PurgeTable>> {
    return await this.purges.database.reader
      .selectFrom('purges')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
  }

  /** Keys of the receipts that the ledger has. */
  async receipts(id: string): Promise<string[]> {
    const rows = await this.purges.database.reader
      .selectFrom('purge_messages')
      .select('key')
      .where('purge_id', '=', id)
      .orderBy('key')
      .execute()
    return rows.map(({ key }) => key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const consumer of this.#consumers) await consumer.stop()
    await this.purger.close()
    await this.purges[Symbol.asyncDispose]()
  }
}
