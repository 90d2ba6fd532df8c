import { pino } from 'pino'
import type { Database } from '../../src/database/database.ts'
import type { Clock } from '../../src/purge/clock.ts'
import { Pacer } from '../../src/purge/deletion/pacer.ts'
import { PurgeEngine } from '../../src/purge/engine.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { SqlAsyncPurger } from '../../src/purge/purgers/sql-async/sql-async-purger.ts'
import type { FileIO } from '../../src/storage/file-io.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import type { FaultyStore } from '../../src/testing/stores/faulty-store.ts'

export interface WorkerOptions {
  readonly name: string
  readonly warehouse: string
  readonly database: Database
  readonly io: FileIO & Pick<FaultyStore, 'deleteFiles'>
  readonly clock: Clock
  /** Milliseconds. */
  readonly leaseTime: number
}

/** One process that works on purges. It can be killed, and it can be stopped for a while without noticing. */
export class SimulatedWorker {
  readonly #engine: PurgeEngine
  #dead = false
  #paused: Promise<void> | undefined
  #wake: () => void = () => undefined

  constructor(options: WorkerOptions) {
    const { io, clock, warehouse } = options
    const gated: FileIO = forwardFileIO(io, {
      read: (location, read) => this.#through(() => io.read(location, read)),
      stat: (location, read) => this.#through(() => io.stat(location, read)),
      // It may fall asleep after the ledger was asked, and the request leave when it wakes up.
      deleteFiles: (locations, deletion) =>
        this.#answered(io.deleteFiles(locations, deletion, () => this.#gate())),
      readStream: (location, read) => this.#stream(io.readStream(location, read)),
      list: (location, read) => this.#stream(io.list(location, read)),
    })
    const workerClock: Clock = {
      now: () => clock.now(),
      sleep: (milliseconds, signal) => this.#through(() => clock.sleep(milliseconds, signal)),
    }
    const database = Object.create(options.database) as Database
    database.transaction = (work) => this.#through(() => options.database.transaction(work))
    const pacer = new Pacer({ clock: workerClock })
    this.#engine = new PurgeEngine({
      database,
      ledger: new Ledger(database),
      logger: pino({ level: 'silent' }),
      owner: options.name,
      workers: 2,
      pollInterval: 1_000,
      timeSlice: 4_000,
      clock: workerClock,
      warehouses: new Map([
        [
          warehouse,
          {
            purger: new SqlAsyncPurger(),
            io: gated,
            pace: (files) => pacer.pace(files),
            leaseTime: options.leaseTime,
            backoff: { base: 500, max: 5_000 },
            deleteConcurrency: 3,
          },
        ],
      ]),
    })
  }

  async start(): Promise<void> {
    await this.#engine.start()
  }

  /** As `kill -9` does: nothing of it happens any more. */
  kill(): void {
    this.#dead = true
  }

  /** As SIGSTOP does, or a long pause of the machine. */
  pause(): void {
    if (this.#paused) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#paused = promise
    this.#wake = resolve
  }

  resume(): void {
    this.#paused = undefined
    this.#wake()
  }

  async stop(): Promise<void> {
    if (this.#dead) return
    this.resume()
    await this.#engine.stop()
  }

  async #through<T>(work: () => Promise<T>): Promise<T> {
    await this.#gate()
    return await this.#answered(work())
  }

  /** The request is out; its answer reaches the worker when that lives and is awake. */
  async #answered<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } finally {
      await this.#gate()
    }
  }

  async *#stream<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const item of items) {
      await this.#gate()
      yield item
    }
    await this.#gate()
  }

  async #gate(): Promise<void> {
    if (this.#dead) await new Promise<never>(() => undefined)
    while (this.#paused) await this.#paused
    if (this.#dead) await new Promise<never>(() => undefined)
  }
}
