import type { CloudEvent } from './event.ts'

/** Where events go. */
export interface EventSink {
  /** Says where that is, without a secret: how far the sink is, is kept under this name. No two sinks have the same. */
  readonly name: string
  /**
   * Resolves when all of them are durable there; whoever throws gets them again, all or some. In order.
   *
   * @param signal aborts when it has taken too long, and when the server stops; who does not end then is not waited for.
   */
  send(events: readonly CloudEvent[], signal: AbortSignal): Promise<void>
  close(): Promise<void>
}
