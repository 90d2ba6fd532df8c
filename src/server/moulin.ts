/** Puts a server together from its configuration, and takes it apart again. */
import { hostname } from 'node:os'
import type { FastifyInstance } from 'fastify'
import { type Logger, pino } from 'pino'
import { SqlCatalog } from '../catalog/sql/sql-catalog.ts'
import type { Config, WarehouseConfig } from '../config/config.ts'
import type { Database } from '../database/database.ts'
import { migrate } from '../database/migrate.ts'
import { openDatabase } from '../database/open.ts'
import { makeSinks } from '../events/start.ts'
import { Metrics } from '../observability/metrics.ts'
import { Pacer } from '../purge/deletion/pacer.ts'
import { Ledger } from '../purge/ledger/ledger.ts'
import type { PurgerContext } from '../purge/purger.ts'
import { allowAll } from '../security/authorizer.ts'
import { openFileIO } from '../storage/open.ts'
import { buildApp } from './app.ts'
import type { Dependencies, Warehouse } from './deps.ts'
import { refuseExposure } from './exposure.ts'
import { pruneIdempotencyKeys } from './idempotency.ts'
import { purgeObserver } from './purge-observer.ts'
import { openPurgers } from './purgers.ts'
import { PurgeThread } from './workers/purge-thread.ts'

/** Milliseconds between two looks for answers whose Idempotency-Key has expired. */
const pruneInterval = 300_000

/** A running server. */
export interface Moulin {
  /** `http://127.0.0.1:8181`, without a slash at its end. */
  readonly url: string
  readonly app: FastifyInstance
  /** Answers what is under way, then stops. Safe to call twice. */
  close(): Promise<void>
}

export interface StartOptions {
  /** @default a pino logger on standard output */
  readonly logger?: Logger
  /** Works on purges in a thread of its own; without, `moulin worker` has to. @default true */
  readonly workers?: boolean
}

/**
 * Opens and migrates the database, opens the warehouses, listens. Throws when the host is not of this machine alone
 * and `server.allowInsecure` is not set: nobody is authenticated yet.
 */
export async function startMoulin(config: Config, options: StartOptions = {}): Promise<Moulin> {
  const { server } = config
  refuseExposure(server)
  const logger = options.logger ?? pino({ level: config.logging.level })
  const identity = `${hostname()}:${process.pid}`
  const draining = new AbortController()
  const stopping = new AbortController()
  const database = await openDatabase(config.database.url, { poolSize: config.database.poolSize })
  const warehouses = new Map<string, Warehouse>()
  let app: FastifyInstance | undefined
  let thread: PurgeThread | undefined
  const timers: NodeJS.Timeout[] = []

  const close = async () => {
    draining.abort()
    for (const timer of timers) clearInterval(timer)
    await Promise.all([thread?.stop(), app && closeWithin(app, server.shutdownTimeout, logger, stopping)])
    for (const warehouse of warehouses.values()) await warehouse.close()
    await database.close()
  }
  try {
    const { applied } = await migrate(database)
    if (applied.length > 0) logger.info({ applied }, 'database migrated')
    // Workers send; what is wrong with the sinks is said here, at the start.
    for (const sink of await makeSinks(config.events)) await sink.close()
    const metrics = new Metrics(database)
    const ledger = new Ledger(database)
    const pacer = new Pacer({ filesPerSecond: config.purge.filesPerSecond })
    const notifyWorkers = () => {
      thread?.notify()
      database.announce().catch((error: unknown) => {
        logger.warn({ err: error }, 'purge not announced to other servers: their poll will find it')
      })
    }
    const deliver: PurgerContext['deliver'] = async (...message) => {
      const kept = await ledger.deliver(...message)
      if (kept) notifyWorkers()
      return kept
    }
    for (const [name, warehouse] of Object.entries(config.warehouses)) {
      warehouses.set(
        name,
        await openWarehouse(name, warehouse, { database, metrics, logger, identity, pacer, deliver }),
      )
    }
    const deps: Dependencies = {
      warehouses,
      database,
      ledger,
      pacer,
      notifyWorkers,
      authorizer: allowAll,
      logger,
      metrics,
      config: server,
      identity,
      draining: draining.signal,
      stopping: stopping.signal,
    }
    app = buildApp(deps)
    if (options.workers ?? true) {
      thread = new PurgeThread({
        config,
        logger,
        observe: (name) => purgeObserver(metrics, name),
        stopTimeout: server.shutdownTimeout,
      })
    }
    timers.push(setInterval(() => void prune(database, logger), pruneInterval).unref())
    const url = await app.listen({ host: server.host, port: server.port })
    let closing: Promise<void> | undefined
    return {
      url,
      app,
      close: () => {
        closing ??= close()
        return closing
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function openWarehouse(
  name: string,
  config: WarehouseConfig,
  shared: {
    database: Database
    metrics: Metrics
    logger: Logger
    identity: string
    pacer: Pacer
    deliver: PurgerContext['deliver']
  },
): Promise<Warehouse> {
  const { database, metrics, identity } = shared
  const logger = shared.logger.child({ warehouse: name })
  const io = openFileIO(config.storage, config.location)
  const catalog = new SqlCatalog({
    warehouse: name,
    location: config.location,
    database,
    io,
    logger,
    observer: {
      committed: (kind) => metrics.commits.inc({ warehouse: name, kind }),
      conflict: () => metrics.conflicts.inc({ warehouse: name }),
    },
  })
  const context = {
    logger,
    warehouse: { name, location: config.location },
    serverIdentity: identity,
    works: false,
    deliver: shared.deliver,
  }
  const { purger, routes, close: closePurgers } = await openPurgers(config.purge, context)
  const rateLimit = shared.pacer.rateLimit(config.purge.filesPerSecond)
  const close = async () => {
    await closePurgers()
    await io.close()
  }
  return { name, catalog, io, config, purger, routes, rateLimit, close }
}

/** Lets requests finish; those that take longer are cut off, and what they began is in the database. */
async function closeWithin(
  app: FastifyInstance,
  timeout: number,
  logger: Logger,
  stopping: AbortController,
): Promise<void> {
  const timer = setTimeout(() => {
    logger.warn('requests still under way are cut off')
    stopping.abort(new Error('The server stops.'))
    app.server.closeAllConnections()
  }, timeout)
  await app.close()
  clearTimeout(timer)
}

async function prune(database: Database, logger: Logger): Promise<void> {
  try {
    await pruneIdempotencyKeys(database)
  } catch (error) {
    logger.warn({ err: error }, 'expired idempotency keys not removed')
  }
}
