import type { CloudEvent } from './event.ts'

/** Where events go. */
export interface EventSink {
  /** Resolves when all of them are durable there; whoever throws gets them again, all or some. In order. */
  send(events: readonly CloudEvent[]): Promise<void>
  close(): Promise<void>
}
