/** Keeps the ledger small: removes purges whose time in it is over, beside the work, and never for long at a time. */
import type { Logger } from 'pino'
import type { Clock } from './clock.ts'
import type { Ledger } from './ledger/ledger.ts'
import { prunedAtATime } from './ledger/prune.ts'

/** Milliseconds between two looks. */
const pruneInterval = 600_000
/** Milliseconds between two transactions of one look, in which others write. */
const breath = 50

export interface PruneOptions {
  readonly ledger: Ledger
  /** By name. `completedRetention`: milliseconds. @default a week */
  readonly warehouses: ReadonlyMap<string, { readonly completedRetention?: number }>
  readonly logger: Logger
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Prunes now and then until the signal aborts. Never throws. */
export async function pruneNowAndThen(options: PruneOptions): Promise<void> {
  const { clock, logger, signal } = options
  for (let wait = Math.random() * pruneInterval; ; wait = pruneInterval * (0.5 + Math.random())) {
    try {
      await clock.sleep(wait, signal)
      await pruneAll(options)
    } catch (error) {
      if (signal.aborted) return
      logger.warn({ err: error }, 'the ledger was not pruned: the database does not answer')
    }
  }
}

/** Removes everything whose time is over. Throws the signal's reason, and what the database throws. */
export async function pruneAll({ ledger, warehouses, logger, clock, signal }: PruneOptions): Promise<void> {
  for (const [warehouse, { completedRetention = 604_800_000 }] of warehouses) {
    let pruned = 0
    for (let last = prunedAtATime; last === prunedAtATime; pruned += last) {
      if (pruned > 0) await clock.sleep(breath, signal)
      signal.throwIfAborted()
      last = await ledger.prune(warehouse, completedRetention)
    }
    if (pruned > 0) logger.info({ warehouse, pruned }, 'ended purges removed from the ledger')
  }
}
