/**
 * What works on purges: the engine, with its own connections to the database and its own clients of the stores. It runs in
 * a thread (`thread.ts`), beside the server or in a process of its own (`moulin worker`).
 */
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Config } from '../../config/config.ts'
import { migrate } from '../../database/migrate.ts'
import { openDatabase } from '../../database/open.ts'
import { startEventRelay } from '../../events/start.ts'
import { Pacer } from '../../purge/deletion/pacer.ts'
import { type EngineWarehouse, PurgeEngine } from '../../purge/engine.ts'
import { Ledger } from '../../purge/ledger/ledger.ts'
import type { PurgerContext } from '../../purge/purger.ts'
import type { PurgeObserver } from '../../purge/run-attempt.ts'
import { openFileIO } from '../../storage/open.ts'
import { openPurgers } from '../purgers.ts'

export interface PurgeWorker {
  /** There may be a purge that is due. */
  notify(): void
  /** Finishes the batches in flight and hands the leases back. */
  stop(): Promise<void>
}

export interface PurgeWorkerOptions {
  readonly logger: Logger
  /** Told what happens to a warehouse's purges. */
  observe?(warehouse: string): PurgeObserver
}

/** Opens everything and begins to work. Throws what opening throws. */
export async function startPurgeWorker(
  config: Config,
  { logger, observe }: PurgeWorkerOptions,
): Promise<PurgeWorker> {
  const { workers, pollInterval, claimBatch, filesPerSecond } = config.purge
  const owner = `${hostname()}:${process.pid}`
  const database = await openDatabase(config.database.url, {
    poolSize: Math.min(config.database.poolSize, workers * 2 + 2),
  })
  const closing: (() => Promise<void> | undefined)[] = []
  const close = async () => {
    for (const each of closing) await each()
    await database.close()
  }
  try {
    await migrate(database)
    const events = await startEventRelay(config.events, database, owner, logger)
    closing.push(() => events?.stop())
    const ledger = new Ledger(database)
    let engine: PurgeEngine | undefined
    const deliver: PurgerContext['deliver'] = async (...message) => {
      const kept = await ledger.deliver(...message)
      if (!kept) return false
      // Not every database tells those who listen, of whom this engine is one.
      engine?.notify()
      await database.announce()
      return true
    }
    const pacer = new Pacer({ filesPerSecond })
    const warehouses = new Map<string, EngineWarehouse>()
    for (const [name, warehouse] of Object.entries(config.warehouses)) {
      const { purge } = warehouse
      const io = openFileIO(warehouse.storage, warehouse.location)
      closing.push(() => io.close())
      const context = {
        logger: logger.child({ warehouse: name }),
        warehouse: { name, location: warehouse.location },
        serverIdentity: owner,
        works: true,
        deliver,
      }
      const purgers = await openPurgers(purge, context)
      closing.push(() => purgers.close())
      const observer = observe?.(name)
      const rateLimit = pacer.rateLimit(purge.filesPerSecond)
      warehouses.set(name, {
        ...purgers,
        io,
        pace: (files) => pacer.pace(files, rateLimit),
        ...(observer && { observer }),
        leaseTime: purge.leaseTimeout,
        backoff: { base: purge.backoffBase, max: purge.backoffMax },
        sweep: purge.sweep,
        versions: purge.versions,
        deleteConcurrency: purge.deleteConcurrency,
        completedRetention: purge.completedRetention,
        workers: purge.workers,
        pollInterval: purge.pollInterval,
        claimBatch: purge.claimBatch,
      })
    }
    engine = new PurgeEngine({
      database,
      ledger,
      logger,
      owner,
      warehouses,
      workers,
      pollInterval,
      claimBatch,
    })
    await engine.start()
    return {
      notify: () => engine.notify(),
      stop: async () => {
        await engine.stop()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}
