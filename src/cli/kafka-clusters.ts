/** Which warehouses share a group of consumers. */
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/config.ts'
import { type KafkaOptions, kafkaOptions } from '../purge/purgers/kafka/options.ts'
import { CommandError } from './failure.ts'

/** Warehouses whose tasks come over the same topic: their consumers are one group, and each member does the tasks of all. */
export interface Cluster {
  /** Of the first of them; what belongs to the connection and to the topics is the same for all. */
  readonly options: KafkaOptions
  readonly names: readonly string[]
}

/**
 * Throws CommandError when no warehouse has the purger, its options are wrong, or two warehouses have one tasks topic and
 * differ in how the brokers are reached or where receipts go.
 */
export function clustersOf({ warehouses }: Config): Cluster[] {
  const clusters: { options: KafkaOptions; names: string[] }[] = []
  for (const [name, { purge }] of Object.entries(warehouses)) {
    const named = [purge, ...purge.routes].find(({ purger }) => purger === 'kafka')
    if (!named) continue
    const options = optionsOf(name, named.options)
    const known = clusters.find((cluster) => shareTasks(cluster.options, options))
    if (!known) {
      clusters.push({ options, names: [name] })
      continue
    }
    const [first] = known.names as [string]
    for (const [option, valueIn] of Object.entries(common)) {
      if (isDeepStrictEqual(valueIn(known.options), valueIn(options))) continue
      throw new CommandError(
        `The warehouses ${first} and ${name} have the same tasks topic, ${options.topics.tasks}, and so one group of consumers, but differ in ${option} of their purger kafka. Give both the same ${option}, or each a topic of its own.`,
      )
    }
    known.names.push(name)
  }
  if (clusters.length > 0) return clusters
  throw new CommandError(
    'No warehouse of this configuration has `purger: kafka`, so there are no tasks to do.',
  )
}

/** What the members of a group have to agree on. */
const common: Readonly<Record<string, (options: KafkaOptions) => unknown>> = {
  tls: ({ tls }) => tls,
  sasl: ({ sasl }) => sasl,
  'topics.results': ({ topics }) => topics.results,
}

/** Whether it is the same topic: any broker tells of the others, so that one in common makes it the same cluster. */
function shareTasks(a: KafkaOptions, b: KafkaOptions): boolean {
  return a.topics.tasks === b.topics.tasks && a.brokers.some((broker) => b.brokers.includes(broker))
}

function optionsOf(warehouse: string, given: Readonly<Record<string, unknown>>): KafkaOptions {
  try {
    return kafkaOptions(given)
  } catch (error) {
    const message = `The purger kafka of warehouse ${warehouse} refused its options: ${(error as Error).message}`
    throw new CommandError(message, { cause: error })
  }
}
