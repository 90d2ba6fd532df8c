import { createTopics, Publisher } from '../../purge/purgers/kafka/client.ts'
import {
  aTopic,
  type KafkaConnection,
  kafkaConnection,
  topicName,
} from '../../purge/purgers/kafka/options.ts'
import { Section } from '../../purge/purgers/options-section.ts'
import type { CloudEvent } from '../event.ts'
import type { EventSink } from '../sink.ts'

/** As the Kafka protocol binding of CloudEvents has it for structured content. */
const headers = { 'content-type': 'application/cloudevents+json; charset=UTF-8' }

/** Options: those of the purger `kafka` that say how the brokers are reached, and `topic`. */
export function kafkaSink(given: Readonly<Record<string, unknown>>): EventSink {
  const options = new Section('', given)
  options.knows('brokers', 'clientId', 'tls', 'sasl', 'createTopics', 'topic')
  const topic = options.matching('topic', topicName, aTopic) ?? 'moulin-events'
  return new KafkaSink(kafkaConnection(options), topic)
}

class KafkaSink implements EventSink {
  readonly name: string
  readonly #connection: KafkaConnection
  readonly #topic: string
  readonly #closing = new AbortController()
  #publisher: Publisher
  #isThere = false

  constructor(connection: KafkaConnection, topic: string) {
    this.name = `kafka:${topic}@${connection.brokers.toSorted().join(',')}`
    this.#connection = connection
    this.#publisher = new Publisher(connection)
    this.#topic = topic
  }

  async send(events: readonly CloudEvent[], signal: AbortSignal): Promise<void> {
    if (!this.#isThere) {
      await createTopics(this.#connection, [this.#topic], AbortSignal.any([this.#closing.signal, signal]))
      // At an abort it may have ended early.
      signal.throwIfAborted()
      this.#isThere = true
    }
    const messages = events.map((event) => ({ key: event.subject, body: event, headers }))
    const onAbort = () => this.#discardPublisher()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await this.#publisher.publish(this.#topic, ...messages)
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#publisher.close()
  }

  /** What it has under way must not stand before the next batch. */
  #discardPublisher(): void {
    void this.#publisher.close()
    this.#publisher = new Publisher(this.#connection)
  }
}
