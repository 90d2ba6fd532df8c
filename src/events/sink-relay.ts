/** Sends what the outbox holds to one sink, at least once, in order. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { unlessAborted } from '../storage/concurrency.ts'
import type { EventFeed } from './feed.ts'
import type { EventSink } from './sink.ts'

/** Events that are sent together. */
const batch = 500
/** Milliseconds. */
const pollInterval = 1_000
/** Milliseconds after a failure; doubles. */
const firstPause = 500
const lastPause = 30_000
/** Milliseconds that the batch under way, and then the sink's closing, may take when the server stops. */
const stopTimeout = 2_000
/** Milliseconds by which the lease outlasts a batch. */
const leaseMargin = 10_000

export interface SinkRelayOptions {
  readonly sink: EventSink
  readonly feed: EventFeed
  readonly logger: Logger
  /** Milliseconds that a batch may take. */
  readonly sendTimeout: number
}

/** For one sink. It is nothing to it how the others are. */
export class SinkRelay {
  readonly #options: SinkRelayOptions
  /** Nothing more is begun. */
  readonly #stopping = new AbortController()
  /** What is under way is given up. */
  readonly #giveUp = new AbortController()
  readonly #running: Promise<void>

  constructor(options: SinkRelayOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  /** Finishes the batch that is under way, if it takes no more than a moment, and closes the sink. */
  async stop(): Promise<void> {
    const { sink, logger } = this.#options
    this.#stopping.abort()
    const timer = setTimeout(
      () => this.#giveUp.abort(new Error('The server stops; these events are sent again.')),
      stopTimeout,
    )
    await this.#running
    clearTimeout(timer)
    await unlessAborted(sink.close(), AbortSignal.timeout(stopTimeout)).catch((error: unknown) =>
      logger.warn({ err: error, sink: sink.name }, 'sink of events not closed cleanly'),
    )
  }

  async #run(): Promise<void> {
    const { sink, logger } = this.#options
    const { signal } = this.#stopping
    let pause = firstPause
    while (!signal.aborted) {
      let wait = pollInterval
      try {
        if (await this.#sendNext()) wait = 0
        pause = firstPause
      } catch (error) {
        logger.warn({ err: error, sink: sink.name }, 'events not sent; they are sent again')
        // Another server may reach the sink.
        await this.#release()
        wait = pause
        pause = Math.min(pause * 2, lastPause)
      }
      await sleep(wait, undefined, { signal }).catch(() => undefined)
    }
    await this.#release()
  }

  /** Sends a batch, if there is any and no other server sends. Whether there may be more. */
  async #sendNext(): Promise<boolean> {
    const { sink, feed, sendTimeout } = this.#options
    // An idle server writes nothing.
    if (!(await feed.isWaiting())) return false
    if (!(await feed.acquire(sendTimeout + leaseMargin))) return false
    const portion = await feed.next(batch)
    if (!portion) return false
    const signal = AbortSignal.any([this.#giveUp.signal, AbortSignal.timeout(sendTimeout)])
    await unlessAborted(sink.send(portion.events, signal), signal)
    await feed.advance(portion.position)
    return portion.events.length === batch
  }

  /** Where that fails, the lease runs out. */
  async #release(): Promise<void> {
    const { sink, feed, logger } = this.#options
    await feed
      .release()
      .catch((error: unknown) => logger.warn({ err: error, sink: sink.name }, 'lease not released'))
  }
}
