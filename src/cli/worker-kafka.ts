import { hostname } from 'node:os'
import { type Logger, pino } from 'pino'
import type { Config } from '../config/config.ts'
import { migrate } from '../database/migrate.ts'
import { describeDatabase, openDatabase } from '../database/open.ts'
import { Pacer } from '../purge/deletion/pacer.ts'
import { TaskConsumer } from '../purge/purgers/kafka/task-consumer.ts'
import type { TaskWarehouse } from '../purge/purgers/kafka/task-worker.ts'
import { openFileIO } from '../storage/open.ts'
import { explainingDatabase } from './database-trouble.ts'
import { type Cluster, clustersOf } from './kafka-clusters.ts'
import { type ConfigOptions, configOf } from './options.ts'
import { stopOnSignals } from './signals.ts'
import { styleFor } from './style.ts'
import { version } from './version.ts'

/** `moulin worker --kafka`: does tasks of the purger kafka. Returns when it works; a signal stops it. */
export async function workOnKafka(options: ConfigOptions): Promise<void> {
  const config = await configOf(options)
  const clusters = clustersOf(config)
  const style = styleFor(process.stderr)
  const logger = pino({ level: config.logging.level })
  const worker = await explainingDatabase(config, () => startKafkaWorker(config, clusters, logger))
  // Before anything says that it runs: whoever reads that may stop it at once.
  stopOnSignals(async (signal) => {
    console.error(style.dim(`${signal}: finishing the batches in flight …`))
    await worker.stop()
  })
  console.error(
    [
      `${style.bold(`Moulin ${version()}`)} does the tasks of ${clusters.flatMap(({ names }) => names).join(', ')}`,
      `  database   ${describeDatabase(config.database.url)}`,
      ...clusters.map(
        ({ options: { brokers, topics } }) => `  kafka      ${topics.tasks} on ${brokers.join(', ')}`,
      ),
      style.dim('Ctrl-C stops it: batches in flight are finished, the task goes to another worker.'),
    ].join('\n'),
  )
}

async function startKafkaWorker(
  config: Config,
  clusters: readonly Cluster[],
  logger: Logger,
): Promise<{ stop(): Promise<void> }> {
  const database = await openDatabase(config.database.url, { poolSize: config.database.poolSize })
  const pacer = new Pacer({ filesPerSecond: config.purge.filesPerSecond })
  const opened: TaskWarehouse[] = []
  const consumers: TaskConsumer[] = []
  const stop = async () => {
    for (const consumer of consumers) await consumer.stop()
    for (const { io } of opened) await io.close()
    await database.close()
  }
  try {
    await migrate(database)
    for (const { options, names } of clusters) {
      const warehouses = new Map(names.map((name) => [name, openWarehouse(config, name, pacer)]))
      opened.push(...warehouses.values())
      const consumer = `${hostname()}:${process.pid}`
      consumers.push(new TaskConsumer(options, { database, logger, consumer, warehouses }))
    }
    return { stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function openWarehouse(config: Config, name: string, pacer: Pacer): TaskWarehouse {
  const { storage, location, purge } = config.warehouses[name]!
  const rateLimit = pacer.rateLimit(purge.filesPerSecond)
  return {
    io: openFileIO(storage, location),
    pace: (io) => pacer.pace(io, rateLimit),
    deleteConcurrency: purge.deleteConcurrency,
  }
}
