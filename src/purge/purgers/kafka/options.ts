/** What stands under `purge.options` for the purger `kafka`. Every message names the option, and never its value. */
import { readFileSync } from 'node:fs'

export interface KafkaOptions {
  /** `host:port` of some brokers; they tell of the others. */
  readonly brokers: readonly string[]
  readonly topics: {
    /** @default "moulin-tasks" */
    readonly tasks: string
    /** @default "moulin-receipts" */
    readonly results: string
  }
  /** How the brokers' logs call us. @default "moulin" */
  readonly clientId: string
  /** Without it, connections are not encrypted. */
  readonly tls: TlsOptions | undefined
  readonly sasl: SaslOptions | undefined
  /** Entries of manifests that make a task, about. @default 100000 */
  readonly taskEntries: number
  /** Milliseconds without a receipt after which tasks are published again. @default 1800000 */
  readonly taskTimeout: number
  /** Makes the topics that are missing. @default they have to be there */
  readonly createTopics: { readonly partitions: number; readonly replication: number } | undefined
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

/** Reads the options, and the files of `tls`. Throws an Error that names the option. */
export function kafkaOptions(given: Readonly<Record<string, unknown>>): KafkaOptions {
  const options = new Section('', given)
  options.knows('brokers', 'topics', 'clientId', 'tls', 'sasl', 'taskEntries', 'taskTimeout', 'createTopics')
  const topics = options.section('topics')
  topics?.knows('tasks', 'results')
  const names = {
    tasks: topics?.topic('tasks') ?? 'moulin-tasks',
    results: topics?.topic('results') ?? 'moulin-receipts',
  }
  if (names.tasks === names.results) throw new Error('topics.tasks and topics.results are the same topic')
  return {
    brokers: options.brokers(),
    topics: names,
    clientId: options.text('clientId') ?? 'moulin',
    tls: tlsOptions(options.section('tls')),
    sasl: saslOptions(options.section('sasl')),
    taskEntries: options.integer('taskEntries', 1, 100_000_000) ?? 100_000,
    taskTimeout: options.duration('taskTimeout') ?? 30 * 60_000,
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

/** A mapping of options, and where it stands. */
class Section {
  readonly #name: string
  readonly #values: Readonly<Record<string, unknown>>

  constructor(name: string, values: Readonly<Record<string, unknown>>) {
    this.#name = name
    this.#values = values
  }

  knows(...names: readonly string[]): void {
    const unknown = Object.keys(this.#values).find((name) => !names.includes(name))
    if (unknown === undefined) return
    throw new Error(`${this.#key(unknown)} is not an option; there are ${names.join(', ')}`)
  }

  required<T>(name: string, value: T | undefined): T {
    if (value === undefined) throw new Error(`${this.#key(name)} is missing`)
    return value
  }

  section(name: string): Section | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Error(`${this.#key(name)} must be a mapping of options`)
    }
    return new Section(this.#key(name), value as Record<string, unknown>)
  }

  text(name: string): string | undefined {
    const value = this.#values[name]
    if (value === undefined || (typeof value === 'string' && value !== '')) return value
    throw new Error(`${this.#key(name)} must be a text that is not empty`)
  }

  topic(name: string): string | undefined {
    const topic = this.text(name)
    if (topic === undefined || /^[A-Za-z0-9._-]{1,249}$/.test(topic)) return topic
    throw new Error(`${this.#key(name)} must be a topic's name: letters, digits, ".", "_", "-", at most 249`)
  }

  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.#values[name]
    if (value === undefined || choices.includes(value as T)) return value as T | undefined
    throw new Error(`${this.#key(name)} must be one of ${choices.join(', ')}`)
  }

  integer(name: string, least: number, most: number): number | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
      return value as number
    throw new Error(`${this.#key(name)} must be an integer from ${least} to ${most}`)
  }

  /** Milliseconds. */
  duration(name: string): number | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(String(value)) ?? []
    const milliseconds = Number(amount) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit as 'ms']
    if (milliseconds >= 1) return milliseconds
    throw new Error(`${this.#key(name)} must be a duration with its unit, such as "90s", "30m" or "2h"`)
  }

  brokers(): string[] {
    const value = this.required('brokers', this.#values.brokers)
    const isBroker = (each: unknown) =>
      typeof each === 'string' && /^[^\s:/]+:\d{1,5}$|^\[[^\s/]+\]:\d{1,5}$/.test(each)
    if (Array.isArray(value) && value.length > 0 && value.every(isBroker)) return value as string[]
    throw new Error('brokers must be a list of "host:port", with at least one of them')
  }

  /** The content of the file that the option names. */
  file(name: string): string | undefined {
    const path = this.text(name)
    if (path === undefined) return undefined
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw new Error(`${this.#key(name)} names a file that cannot be read: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  #key(name: string): string {
    return this.#name === '' ? name : `${this.#name}.${name}`
  }
}
