import { randomUUID } from 'node:crypto'
import { Consumer, Producer } from '@platformatic/kafka'
import { pino } from 'pino'
import { Publisher, Subscription } from '../../src/purge/purgers/kafka/client.ts'
import { type KafkaOptions, kafkaOptions } from '../../src/purge/purgers/kafka/options.ts'
import { KafkaBroker } from '../../src/testing/stores/kafka.ts'

const partitions = 6

/** A broker, with topics of its own for every test. */
export class Cluster {
  readonly broker: KafkaBroker
  readonly #closing: (() => Promise<void>)[] = []

  static async start(jars: string): Promise<Cluster> {
    return new Cluster(await KafkaBroker.start(jars))
  }

  private constructor(broker: KafkaBroker) {
    this.broker = broker
  }

  /** Options of the purger, as the configuration has them, with topics that nobody else uses. */
  options(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const name = randomUUID()
    return {
      brokers: [this.broker.address],
      topics: { tasks: `tasks-${name}`, results: `receipts-${name}` },
      createTopics: { partitions, replication: 1 },
      ...more,
    }
  }

  /** Listens to a topic of these options, in a group of its own. */
  listen(
    given: Readonly<Record<string, unknown>>,
    topic: keyof KafkaOptions['topics'],
    hear: (message: unknown) => Promise<void> | void,
  ): void {
    const options = kafkaOptions(given)
    const subscription = new Subscription(options, {
      topic: options.topics[topic],
      group: `test-${randomUUID()}`,
      logger: pino({ level: 'silent' }),
      handle: async (body) => await hear(JSON.parse(body.toString())),
    })
    this.#closing.push(() => subscription.stop())
  }

  /** What publishes on a topic of these options. */
  publisher(given: Readonly<Record<string, unknown>>, topic: keyof KafkaOptions['topics']) {
    const options = kafkaOptions(given)
    const publisher = new Publisher(options)
    this.#closing.push(() => publisher.close())
    return async (message: unknown) =>
      await publisher.publish(options.topics[topic], { key: randomUUID(), body: message })
  }

  /** Publishes what need not be JSON; null is a message without a value. */
  async publishBytes(
    given: Readonly<Record<string, unknown>>,
    topic: keyof KafkaOptions['topics'],
    values: readonly (string | null)[],
  ): Promise<void> {
    const name = kafkaOptions(given).topics[topic]
    const producer = new Producer({ clientId: 'test', bootstrapBrokers: [this.broker.address] })
    try {
      const messages = values.map((value) => ({
        topic: name,
        key: Buffer.from('key'),
        ...(value !== null && { value: Buffer.from(value) }),
      }))
      await producer.send({ messages, acks: -1 })
    } finally {
      await producer.close()
    }
  }

  /** How many messages there are in each partition of a topic. */
  async sizes(topic: string): Promise<number[]> {
    const consumer = new Consumer({
      clientId: 'test',
      groupId: 'test',
      bootstrapBrokers: [this.broker.address],
    })
    try {
      const offsets = await consumer.listOffsets({ topics: [topic] })
      return offsets.get(topic)!.map(Number)
    } finally {
      await consumer.close()
    }
  }

  /** Stops what the tests have opened, then the broker. */
  async close(): Promise<void> {
    for (const close of this.#closing) await close()
    await this.broker.close()
  }
}
