import type { EventsConfig } from '../../config/config.ts'
import { makeSinks } from '../../events/start.ts'
import { checkBrokers } from './brokers.ts'
import { error, type Finding, ok } from './finding.ts'

/** Makes the sinks of events as `serve` does, closes them, and sees whether anybody is there. Sends nothing. */
export async function* checkSinks(events: EventsConfig): AsyncGenerator<Finding> {
  try {
    for (const sink of await makeSinks(events)) await sink.close()
  } catch (thrown) {
    yield error(
      `cannot be sent: ${(thrown as Error).message}`,
      'Correct that key; docs/reference/events.md has a list of the options.',
    )
    return
  }
  for (const { type, options } of events.sinks ?? []) {
    yield ok(`have a sink: ${type}`)
    yield await checkBrokers(options, 'for events')
  }
}
