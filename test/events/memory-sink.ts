import type { CloudEvent } from '../../src/events/event.ts'
import type { EventSink } from '../../src/events/sink.ts'

/** Keeps what it is sent, and fails as often as it is told. */
export class MemorySink implements EventSink {
  readonly name: string
  readonly events: CloudEvent[] = []
  batches = 0
  failures = 0
  /** Takes everything, and says nothing any more. */
  isSilent = false
  isClosed = false

  constructor(name: string) {
    this.name = name
  }

  async send(events: readonly CloudEvent[]): Promise<void> {
    this.batches++
    this.events.push(...events)
    if (this.isSilent) await new Promise(() => undefined)
    if (this.failures-- > 0) throw new Error('not today')
  }

  async close(): Promise<void> {
    this.isClosed = true
    if (this.isSilent) await new Promise(() => undefined)
  }

  /** In the order of the first time. */
  get unique(): CloudEvent[] {
    return [...new Map(this.events.map((event) => [event.id, event])).values()]
  }
}
