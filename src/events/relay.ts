/** Sends what the outbox holds to all sinks, at least once, in order. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Database } from '../database/database.ts'
import { EventOutbox } from './outbox.ts'
import type { EventSink } from './sink.ts'

/** Events that are sent and forgotten together. */
const batch = 500
/** Milliseconds. */
const pollInterval = 1_000
const leaseTime = 60_000
/** Milliseconds after a failure; doubles. */
const firstPause = 500
const lastPause = 30_000

export interface EventRelayOptions {
  readonly database: Database
  readonly sinks: readonly EventSink[]
  /** `host:pid` */
  readonly owner: string
  readonly logger: Logger
}

/** One for each process that works; one at a time sends, the others stand by. */
export class EventRelay {
  readonly #options: EventRelayOptions
  readonly #outbox: EventOutbox
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>

  constructor(options: EventRelayOptions) {
    this.#options = options
    this.#outbox = new EventOutbox(options.database, options.owner)
    this.#running = this.#run()
  }

  /** Finishes the batch that is under way, and closes the sinks. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    for (const sink of this.#options.sinks) await sink.close()
  }

  async #run(): Promise<void> {
    const { logger } = this.#options
    const { signal } = this.#stopping
    let pause = firstPause
    while (!signal.aborted) {
      let wait = pollInterval
      try {
        if (await this.#sendNext()) wait = 0
        pause = firstPause
      } catch (error) {
        logger.warn({ err: error }, 'events not sent; they are sent again')
        wait = pause
        pause = Math.min(pause * 2, lastPause)
      }
      await sleep(wait, undefined, { signal }).catch(() => undefined)
    }
    // Where that fails, the lease runs out.
    await this.#outbox.release().catch((error: unknown) => logger.warn({ err: error }, 'lease not released'))
  }

  /** Sends a batch, if there is any and no other server sends. Whether there may be more. */
  async #sendNext(): Promise<boolean> {
    // An idle server writes nothing.
    if (await this.#outbox.isEmpty()) return false
    if (!(await this.#outbox.acquire(leaseTime))) return false
    const events = await this.#outbox.next(batch)
    if (events.length === 0) return false
    await Promise.all(this.#options.sinks.map((sink) => sink.send(events)))
    await this.#outbox.sent(events)
    return events.length === batch
  }
}
