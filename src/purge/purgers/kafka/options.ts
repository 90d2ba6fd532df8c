/** What stands under `purge.options` for the purger `kafka`. Every message names the option, and never its value. */
import { Section } from '../options-section.ts'

/** How brokers are reached. */
export interface KafkaConnection {
  /** `host:port` of some brokers; they tell of the others. */
  readonly brokers: readonly string[]
  /** How the brokers' logs call us. @default "moulin" */
  readonly clientId: string
  /** Without it, connections are not encrypted. */
  readonly tls: TlsOptions | undefined
  readonly sasl: SaslOptions | undefined
  /** Makes the topics that are missing. @default they have to be there */
  readonly createTopics: { readonly partitions: number; readonly replication: number } | undefined
}

export interface KafkaOptions extends KafkaConnection {
  readonly topics: {
    /** @default "moulin-tasks" */
    readonly tasks: string
    /** @default "moulin-receipts" */
    readonly results: string
  }
  /** Entries of manifests that make a task, about. @default 100000 */
  readonly taskEntries: number
  /** Milliseconds without a receipt after which tasks are published again. @default 1800000 */
  readonly taskTimeout: number
}

/** PEM, as read from the files that the options name. */
export interface TlsOptions {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

export interface SaslOptions {
  readonly mechanism: (typeof mechanisms)[number]
  readonly username: string
  readonly password: string
}

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

/** Partitions and replicas of a topic that is made without a word on them. */
const defaultPartitions = 12
const defaultReplication = 3

const broker = /^[^\s:/]+:\d{1,5}$|^\[[^\s/]+\]:\d{1,5}$/
export const topicName = /^[A-Za-z0-9._-]{1,249}$/
export const aTopic = 'a topic\'s name: letters, digits, ".", "_", "-", at most 249'

/** Reads the options, and the files of `tls`. Throws an Error that names the option. */
export function kafkaOptions(given: Readonly<Record<string, unknown>>): KafkaOptions {
  const options = new Section('', given)
  options.knows('brokers', 'topics', 'clientId', 'tls', 'sasl', 'taskEntries', 'taskTimeout', 'createTopics')
  const topics = options.section('topics')
  topics?.knows('tasks', 'results')
  const names = {
    tasks: topics?.matching('tasks', topicName, aTopic) ?? 'moulin-tasks',
    results: topics?.matching('results', topicName, aTopic) ?? 'moulin-receipts',
  }
  if (names.tasks === names.results) throw new Error('topics.tasks and topics.results are the same topic')
  return {
    ...kafkaConnection(options),
    topics: names,
    taskEntries: options.integer('taskEntries', 1, 100_000_000) ?? 100_000,
    taskTimeout: options.duration('taskTimeout') ?? 30 * 60_000,
  }
}

/** Reads the options that say how brokers are reached. Throws as `kafkaOptions` does. */
export function kafkaConnection(options: Section): KafkaConnection {
  return {
    brokers: options.required('brokers', options.listOf('brokers', broker, '"host:port"')),
    clientId: options.text('clientId') ?? 'moulin',
    tls: tlsOptions(options.section('tls')),
    sasl: saslOptions(options.section('sasl')),
    createTopics: newTopics(options.section('createTopics')),
  }
}

function tlsOptions(tls: Section | undefined): TlsOptions | undefined {
  if (!tls) return undefined
  tls.knows('ca', 'cert', 'key')
  const files = { ca: tls.file('ca'), cert: tls.file('cert'), key: tls.file('key') }
  if ((files.cert === undefined) !== (files.key === undefined)) {
    throw new Error('tls.cert and tls.key belong together: give both, or neither')
  }
  return files
}

function saslOptions(sasl: Section | undefined): SaslOptions | undefined {
  if (!sasl) return undefined
  sasl.knows('mechanism', 'username', 'password')
  return {
    mechanism: sasl.required('mechanism', sasl.choice('mechanism', mechanisms)),
    username: sasl.required('username', sasl.text('username')),
    password: sasl.required('password', sasl.text('password')),
  }
}

function newTopics(section: Section | undefined): KafkaOptions['createTopics'] {
  if (!section) return undefined
  section.knows('partitions', 'replication')
  return {
    partitions: section.integer('partitions', 1, 10_000) ?? defaultPartitions,
    replication: section.integer('replication', 1, 100) ?? defaultReplication,
  }
}
