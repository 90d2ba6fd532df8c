/** Sends what the outbox holds to all sinks, each as fast as it takes it. */
import type { Logger } from 'pino'
import type { Database } from '../database/database.ts'
import { EventFeed } from './feed.ts'
import type { EventSink } from './sink.ts'
import { SinkRelay } from './sink-relay.ts'

export interface EventRelayOptions {
  readonly database: Database
  /** Those that `recordEvents` was told of. */
  readonly sinks: readonly EventSink[]
  /** `host:pid` */
  readonly owner: string
  readonly logger: Logger
  /** Milliseconds that a sink may take for a batch. @default 20000 */
  readonly sendTimeout?: number
}

/** One for each process that works; one at a time sends to a sink, the others stand by. */
export class EventRelay {
  readonly #relays: readonly SinkRelay[]

  constructor({ database, sinks, owner, logger, sendTimeout = 20_000 }: EventRelayOptions) {
    this.#relays = sinks.map(
      (sink) => new SinkRelay({ sink, feed: new EventFeed(database, sink.name, owner), logger, sendTimeout }),
    )
  }

  /** Finishes the batches that are under way, or gives them up after a moment, and closes the sinks. */
  async stop(): Promise<void> {
    await Promise.all(this.#relays.map((relay) => relay.stop()))
  }
}
