/** A process that works on purges and does not serve the catalog; where it gets a port, it tells there how it is. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from '../../config/config.ts'
import { openDatabase } from '../../database/open.ts'
import { Metrics } from '../../observability/metrics.ts'
import { bareApp } from '../bare-app.ts'
import { refuseExposure } from '../exposure.ts'
import { operatorRoutes } from '../operator-routes.ts'
import { purgeObserver } from '../purge-observer.ts'
import { PurgeThread } from './purge-thread.ts'

/** Connections that `/readyz` and `/metrics` share. */
const poolSize = 2

export interface WorkerProcess {
  /** `http://127.0.0.1:9100`, without a slash at its end; undefined without a port. */
  readonly url: string | undefined
  /** Finishes the batches in flight and hands the leases back. */
  stop(): Promise<void>
}

export interface WorkerProcessOptions {
  readonly logger: Logger
  /** At `server.host`, for `/livez`, `/readyz` and `/metrics`; 0 lets the system choose. @default nothing is served */
  readonly port?: number | undefined
}

/**
 * Resolves when it works. Throws what opening and listening throw, what the configuration is refused for, and as {@link
 * refuseExposure} does.
 */
export async function startWorkerProcess(
  config: Config,
  { logger, port }: WorkerProcessOptions,
): Promise<WorkerProcess> {
  const { server } = config
  const threadOptions = { config, logger, stopTimeout: server.shutdownTimeout }
  if (port === undefined) {
    const thread = await PurgeThread.start(threadOptions)
    return { url: undefined, stop: () => thread.stop() }
  }
  refuseExposure(server)
  const database = await openDatabase(config.database.url, { poolSize })
  const draining = new AbortController()
  const metrics = new Metrics(database)
  const app: FastifyInstance = bareApp({ logger, metrics, config: server })
  let thread: PurgeThread | undefined
  operatorRoutes(app, {
    database,
    metrics,
    draining: draining.signal,
    obstacle: () => (thread?.isWorking ? undefined : 'the purge workers do not run'),
  })
  const stop = async () => {
    draining.abort()
    // Until the end it tells that it stops.
    await thread?.stop()
    await app.close()
    await database.close()
  }
  try {
    const url = await app.listen({ host: server.host, port })
    thread = await PurgeThread.start({ ...threadOptions, observe: (name) => purgeObserver(metrics, name) })
    return { url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
