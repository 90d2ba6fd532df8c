/** The one file that speaks with the Kafka client: publishing, and consuming at least once, whatever the brokers do. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Admin,
  type BaseOptions,
  CompressionAlgorithms,
  Consumer,
  type Message,
  type MessagesStream,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  Producer,
} from '@platformatic/kafka'
import type { Logger } from 'pino'
import { unlessAborted } from '../../../storage/concurrency.ts'
import type { KafkaConnection, KafkaOptions } from './options.ts'

/** Milliseconds before a consumer that failed is begun again; doubles. */
const firstPause = 250
const lastPause = 15_000
/** Milliseconds: a member that died is missed after the session; heartbeats go on during long tasks. */
const membership = { heartbeatInterval: 2_000, sessionTimeout: 10_000, rebalanceTimeout: 20_000 }
/** Milliseconds. */
const publishTimeout = 30_000
const closeTimeout = 10_000
/** Acknowledged by every replica that is in sync. */
const allReplicas = -1

export interface PublishedMessage {
  /** Messages of one key, and of no stated partition, come in order. */
  readonly key: string
  /** Any whole number: after the last partition comes the first again. @default by the key */
  readonly partition?: number
  /** Any JSON value. */
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Publishes with acknowledgement by all replicas in sync, each message once in spite of repetitions on the way. */
export class Publisher {
  readonly #options: KafkaConnection
  #producer: Producer | undefined
  #last: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: KafkaConnection) {
    this.#options = options
  }

  /**
   * Resolves when the brokers have the messages. Calls go out one after another. Throws what the client throws, also
   * after half a minute without an answer: then the brokers may have the messages, or some, or none.
   */
  async publish(topic: string, ...messages: readonly PublishedMessage[]): Promise<void> {
    const turn = this.#last.then(() => this.#publish(topic, messages))
    this.#last = turn.catch(() => undefined)
    await turn
  }

  /** What is not acknowledged yet throws. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#producer) await this.#discard(this.#producer)
  }

  async #publish(topic: string, published: readonly PublishedMessage[]): Promise<void> {
    if (this.#closed) throw new Error('The publisher is closed.')
    const producer = this.#open()
    const messages = published.map(({ key, partition, body, headers = {} }) => ({
      topic,
      ...(partition !== undefined && { partition }),
      key: Buffer.from(key),
      value: Buffer.from(JSON.stringify(body)),
      headers: new Map(
        Object.entries(headers).map(([name, value]) => [Buffer.from(name), Buffer.from(value)]),
      ),
    }))
    // The client's own repetitions add up to many minutes; closing it ends them.
    const timer = setTimeout(() => void this.#discard(producer), publishTimeout)
    try {
      await producer.send({ messages })
    } catch (error) {
      // Its sequence may be broken: the next message gets another producer.
      await this.#discard(producer)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  #open(): Producer {
    this.#producer ??= new Producer({
      ...clientOptions(this.#options),
      idempotent: true,
      acks: allReplicas,
      compression: CompressionAlgorithms.GZIP,
    })
    return this.#producer
  }

  /** What it had not sent is known from `send`, so that an error at its end says nothing more. */
  async #discard(producer: Producer): Promise<void> {
    if (this.#producer === producer) this.#producer = undefined
    await producer.close().catch(() => undefined)
  }
}

export interface Consumption {
  readonly topic: string
  readonly group: string
  readonly logger: Logger
  /**
   * Deals with one message. The offset moves on when it resolves; when it throws, the message comes again, here or
   * elsewhere. The signal aborts when the consumer stops.
   */
  handle(body: Buffer, signal: AbortSignal): Promise<void>
}

/** A member of a group that reads a topic, one message after another, until it is stopped. */
export class Subscription {
  readonly #options: KafkaOptions
  readonly #consumption: Consumption
  readonly #stopped = new AbortController()
  readonly #running: Promise<void>

  constructor(options: KafkaOptions, consumption: Consumption) {
    this.#options = options
    this.#consumption = consumption
    this.#running = this.#run()
  }

  /** Leaves the group. What is being handled is aborted, and comes again elsewhere. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('The consumer stops.'))
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped
    const { topic, group, logger } = this.#consumption
    let pause = firstPause
    while (!signal.aborted) {
      try {
        await createTopics(this.#options, Object.values(this.#options.topics), signal)
        await this.#consume(() => {
          pause = firstPause
        })
      } catch (error) {
        if (signal.aborted) return
        logger.warn({ err: error, topic, group }, 'consumer of Kafka interrupted; it is begun again')
        await sleep(pause, undefined, { signal }).catch(() => undefined)
        pause = Math.min(pause * 2, lastPause)
      }
    }
  }

  /** Returns when it is stopped; throws when the membership ended otherwise. */
  async #consume(onProgress: () => void): Promise<void> {
    const { topic, group, logger, handle } = this.#consumption
    const lost = new AbortController()
    const signal = AbortSignal.any([this.#stopped.signal, lost.signal])
    const consumer = new Consumer({ ...clientOptions(this.#options), groupId: group, ...membership })
    // Without a listener, what the client cannot mend ends the process; with one, it is out of the group and says no more.
    consumer.on('error', (error: unknown) => lost.abort(error))
    consumer.on('consumer:heartbeat:stalled', ({ lastError }: { lastError?: unknown }) =>
      lost.abort(new Error('The brokers do not answer heartbeats.', { cause: lastError })),
    )
    let stream: Messages | undefined
    let closing: Promise<void> | undefined
    const close = () => {
      closing ??= closeConsumer(consumer, (error) =>
        logger.debug({ err: error, topic, group }, 'consumer not closed cleanly'),
      ).finally(() => stream?.destroy())
      return closing
    }
    const onEnd = () => void close()
    signal.addEventListener('abort', onEnd, { once: true })
    try {
      const messages = await unlessAborted(openStream(consumer, topic), signal)
      stream = messages
      for await (const message of messages) {
        // Read ahead, and another member's since the group was shared out anew.
        if (!isAssigned(consumer, message)) continue
        await handle(message.value, signal)
        onProgress()
        // Not awaited: it may wait for a rebalance. Where it is lost, the message comes again.
        Promise.resolve(message.commit()).catch((error: unknown) => {
          logger.debug({ err: error, topic, group }, 'offset not committed')
        })
      }
      signal.throwIfAborted()
    } catch (error) {
      throw lost.signal.aborted ? lost.signal.reason : error
    } finally {
      signal.removeEventListener('abort', onEnd)
      await close()
    }
  }
}

type Messages = MessagesStream<Buffer, Buffer, Buffer, Buffer>

/** Joins the group and begins to read. */
async function openStream(consumer: Consumer, topic: string): Promise<Messages> {
  const options = {
    topics: [topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 500,
  }
  return await new Promise((resolve, reject) => {
    // As a promise it came too late: the stream of a consumer that was closed meanwhile fails at once, and whoever reads a
    // stream hears of its errors, but nobody reads this one.
    consumer.consume(options, (error, messages) => {
      messages?.on('error', () => undefined)
      if (error) reject(error)
      else resolve(messages!)
    })
  })
}

/** Leaves the group and ends the connections; a client that does not manage it in time is given up. Never throws. */
async function closeConsumer(consumer: Consumer, onError: (error: unknown) => void): Promise<void> {
  // One that was about to join the group again fails the first time.
  const close = () => Promise.resolve(consumer.close(true))
  const closed = close().catch(close).catch(onError)
  const timeout = new AbortController()
  const late = sleep(closeTimeout, undefined, { signal: timeout.signal }).catch(() => undefined)
  await Promise.race([closed, late])
  timeout.abort()
}

/** Makes the topics that are missing, if the options ask for it. Throws what the client throws. */
export async function createTopics(
  options: KafkaConnection,
  topics: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { createTopics: wanted } = options
  if (!wanted) return
  const admin = new Admin(clientOptions(options))
  const close = () => admin.close().catch(() => undefined)
  const onStop = () => void close()
  signal.addEventListener('abort', onStop, { once: true })
  try {
    const there = await admin.listTopics()
    for (const topic of topics) {
      if (there.includes(topic)) continue
      try {
        await admin.createTopics({
          topics: [topic],
          partitions: wanted.partitions,
          replicas: wanted.replication,
        })
      } catch (error) {
        if (!isThereAlready(error)) throw error
      }
    }
  } finally {
    signal.removeEventListener('abort', onStop)
    await close()
  }
}

function clientOptions({ clientId, brokers, tls, sasl }: KafkaConnection): BaseOptions {
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    ...(tls && { tls: definedOf(tls) }),
    ...(sasl && { sasl }),
  }
}

function definedOf<T extends object>(options: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}

function isAssigned({ assignments }: Consumer, { topic, partition }: Message): boolean {
  return assignments?.some((each) => each.topic === topic && each.partitions.includes(partition)) ?? false
}

/** Somebody else has made it meanwhile. */
function isThereAlready(error: unknown): boolean {
  const { errors = [], apiId } = error as { errors?: readonly unknown[]; apiId?: string }
  return apiId === 'TOPIC_ALREADY_EXISTS' || errors.some(isThereAlready)
}
