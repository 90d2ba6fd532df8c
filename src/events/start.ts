import type { Logger } from 'pino'
import type { Database } from '../database/database.ts'
import { recordEvents } from './outbox.ts'
import { EventRelay } from './relay.ts'
import type { EventSink } from './sink.ts'

/** The section `events` of the configuration. */
export interface EventSettings {
  /** Undefined: whether events are recorded stays as it is. Empty: no longer. */
  readonly sinks:
    | readonly { readonly type: 'kafka'; readonly options: Readonly<Record<string, unknown>> }[]
    | undefined
}

/** A sink cannot be made of its options. */
export class SinkConfigurationError extends Error {
  override readonly name = 'SinkConfigurationError'
}

/** Kinds of sinks, which load when they are needed. */
const kinds = {
  kafka: async (options: Readonly<Record<string, unknown>>) =>
    (await import('./sinks/kafka.ts')).kafkaSink(options),
}

/** Makes the sinks; nothing is contacted yet. Throws {@link SinkConfigurationError}. */
export async function makeSinks({ sinks = [] }: EventSettings): Promise<EventSink[]> {
  const made: EventSink[] = []
  const names = new Map<string, number>()
  for (const [index, { type, options }] of sinks.entries()) {
    let sink: EventSink
    try {
      sink = await kinds[type](options)
    } catch (error) {
      throw new SinkConfigurationError(`events.sinks.${index}.options: ${(error as Error).message}`, {
        cause: error,
      })
    }
    const same = names.get(sink.name)
    if (same !== undefined) {
      throw new SinkConfigurationError(
        `events.sinks.${index}: the same sink as events.sinks.${same}. Leave one out, or give it another topic.`,
      )
    }
    names.set(sink.name, index)
    made.push(sink)
  }
  return made
}

/** Has events recorded and sent as configured; undefined when nothing is to be sent. Throws {@link SinkConfigurationError}. */
export async function startEventRelay(
  settings: EventSettings,
  database: Database,
  owner: string,
  logger: Logger,
): Promise<EventRelay | undefined> {
  if (!settings.sinks) return undefined
  const sinks = await makeSinks(settings)
  await recordEvents(
    database,
    sinks.map(({ name }) => name),
  )
  return sinks.length === 0 ? undefined : new EventRelay({ database, sinks, owner, logger })
}
