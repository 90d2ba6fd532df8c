/** One attempt at one purge: the purger's work, the sweep, and the entry of how it ended. */
import type { Logger } from 'pino'
import type { Database } from '../database/database.ts'
import type { FileIO } from '../storage/file-io.ts'
import { Attempt } from './attempt.ts'
import { type Backoff, retryDelay } from './backoff.ts'
import { checkpointOf } from './checkpoint.ts'
import { type Clock, systemClock } from './clock.ts'
import { isThrottled } from './deletion/throttling.ts'
import type { Lease } from './ledger/claims.ts'
import { type AttemptEnd, LeaseLostError } from './ledger/leased.ts'
import type { Ledger } from './ledger/ledger.ts'
import {
  HeldPurgeError,
  type IcebergPurger,
  type OutcomeCounts,
  PermanentPurgeError,
  type PurgeResult,
  RetryablePurgeError,
  ThrottledPurgeError,
} from './purger.ts'
import { choosePurger, type Purgers, purgerNamed } from './routing.ts'
import type { PurgeState } from './states.ts'
import { ResidueError, type SweepPolicy, storeLimits, sweep, type VersionPolicy } from './sweep.ts'
import { sweepWhole } from './sweep-whole.ts'

/** Milliseconds. */
export const defaultLeaseTime = 300_000
/** Batches of one purge in flight. */
export const defaultDeleteConcurrency = 8
/** Milliseconds between two questions about work that was handed off. */
const inspectInterval = 10_000

/** What a warehouse brings to its purges. */
export interface PurgeWarehouse extends Purgers {
  readonly io: FileIO
  /** Makes the deletions of an attempt wait for their turn. @default they do not */
  readonly pace?: (io: FileIO) => FileIO
  readonly observer?: PurgeObserver
  /** Milliseconds. @default 300000 */
  readonly leaseTime?: number
  /** Tries again what may pass. Without it every error ends the purge as failed: somebody waits for the answer. */
  readonly backoff?: Backoff
  /** @default "owned" */
  readonly sweep?: SweepPolicy
  /** @default "current" */
  readonly versions?: VersionPolicy
  /** @default 8 */
  readonly deleteConcurrency?: number
}

export interface PurgeRunner extends PurgeWarehouse {
  readonly database: Database
  readonly ledger: Ledger
  readonly logger: Logger
  /** Name of this server in leases: `host:pid`. */
  readonly owner: string
  /** Aborted when the server stops, or when others wait: then with a {@link YieldError}. */
  readonly signal?: AbortSignal
  /** @default the system's */
  readonly clock?: Clock
  /** Called whenever files are erased for good. */
  readonly onErased?: () => void
}

/** Told what happens; for metrics. */
export interface PurgeObserver {
  /** What was dealt with since the last call; what an engine elsewhere says of its work is not among it until it has been looked for. */
  progressed(counts: OutcomeCounts): void
  /** @param milliseconds since the attempt began. */
  finished(state: PurgeState, milliseconds: number): void
}

export interface PurgeEnd {
  readonly state: PurgeState
  /** Why it failed or is held. */
  readonly message: string | undefined
}

/**
 * Claims a pending purge, runs one attempt, and says in what state it left the purge. Never throws for what goes wrong
 * with the files: that is in the ledger. Throws when the database fails.
 */
export async function runPurge(id: string, runner: PurgeRunner): Promise<PurgeEnd> {
  const { ledger } = runner
  const lease = await ledger.claim(id, runner.owner, runner.leaseTime ?? defaultLeaseTime)
  if (lease) {
    try {
      return await runAttempt(lease, runner)
    } catch (error) {
      // Held by an operator meanwhile, or taken up by another server.
      if (!(error instanceof LeaseLostError)) throw error
    }
  }
  const record = await ledger.get(id)
  return { state: record?.state ?? 'cancelled', message: record?.holdReason ?? record?.lastError }
}

/** Runs one attempt under a lease. Throws {@link LeaseLostError}, and what the database throws. */
export async function runAttempt(lease: Lease, runner: PurgeRunner): Promise<PurgeEnd> {
  const { observer, clock = systemClock } = runner
  const began = clock.now()
  const logger = runner.logger.child({ purge: lease.purge.id, attempt: lease.attempt })
  const attempt = new Attempt({
    database: runner.database,
    lease,
    leaseTime: runner.leaseTime ?? defaultLeaseTime,
    io: runner.io,
    pace: runner.pace ?? ((io) => io),
    deleteConcurrency: runner.deleteConcurrency ?? defaultDeleteConcurrency,
    logger,
    clock,
    signal: runner.signal ?? new AbortController().signal,
    onProgress: observer && ((counts) => observer.progressed(counts)),
    onErased: runner.onErased,
  })
  try {
    const end = await work(attempt, lease, runner).catch((error: unknown) =>
      endOf(error, attempt, lease, runner, logger),
    )
    await attempt.finish(end)
    observer?.finished(end.state, clock.now() - began)
    const message = end.state === 'held' ? end.reason : 'error' in end ? end.error : undefined
    if (message === undefined) logger.info(`purge ${end.state}`)
    else logger.warn({ reason: message }, `purge ${end.state}`)
    return { state: end.state, message }
  } finally {
    await attempt.stop()
  }
}

async function work(attempt: Attempt, lease: Lease, runner: PurgeRunner): Promise<AttemptEnd> {
  const { run } = attempt
  const { database, versions = 'current' } = runner
  const { purge } = lease
  await runner.io.renewCredentials?.()
  if (lease.recall !== undefined) return await recall(attempt, lease, lease.recall, runner)
  if (lease.byLocation) {
    await refuseIfAudited(attempt, lease, runner)
    const verification = await sweepWhole(database, lease, run, versions)
    const store = await storeLimits(run.io, purge, attempt.tally)
    return { state: 'succeeded', evidence: { paths: null, verification, store } }
  }
  const result = await purgeOrInspect(attempt, lease, runner)
  if (result.kind !== 'done') return result.end
  const policy = result.mayBeSwept && result.erases ? (runner.sweep ?? 'owned') : 'report'
  const verification = await sweep(database, purge, run, policy, versions, attempt.tally)
  const store = await storeLimits(run.io, purge, attempt.tally)
  const paths = checkpointOf(run.checkpoint).paths ?? null
  const { attachments = [] } = result
  return { state: 'succeeded', evidence: { paths, verification, store, attachments } }
}

/**
 * Throws PermanentPurgeError when the purge is that of a purger which erases nothing. Whether a route leads to one cannot
 * be told of a table that cannot be read: that counts as no, since an operator wants it erased.
 */
async function refuseIfAudited(attempt: Attempt, lease: Lease, runner: PurgeRunner): Promise<void> {
  const purger = await purgerOf(attempt, lease, runner).catch((error: unknown) => {
    if (error instanceof PermanentPurgeError) return purgerNamed(runner, lease.purger) ?? runner.purger
    throw error
  })
  if (purger.erases !== false) return
  throw new PermanentPurgeError(
    `The purger ${purger.name} erases nothing, by location neither. To have the files erased, configure a purger that erases for this table (purge.purger, or its route), and retry the purge by location.`,
  )
}

/** Has the engine elsewhere told to stop; then the purge is held, for this reason. */
async function recall(
  attempt: Attempt,
  lease: Lease,
  reason: string,
  runner: PurgeRunner,
): Promise<AttemptEnd> {
  const { purge, reference } = lease
  if (reference === undefined) return { state: 'held', reason }
  const purger = await purgerOf(attempt, lease, runner)
  if (!purger.cancel) {
    const warning = `the purger ${purger.name} cannot stop what it has handed off, which may go on`
    return { state: 'held', reason: reason === '' ? warning : `${reason} (${warning})` }
  }
  await purger.cancel(purge, reference, attempt.run)
  return { state: 'held', reason, resubmit: true }
}

/** A purger's answer that its work is done, and whether it is one that erases. */
type Finished = Extract<PurgeResult, { kind: 'done' }> & { readonly erases: boolean }

/** Has the purger work, or asks it about what it has handed off. */
async function purgeOrInspect(
  attempt: Attempt,
  lease: Lease,
  runner: PurgeRunner,
): Promise<Finished | { kind: 'elsewhere'; end: AttemptEnd }> {
  const handedOff = (to: string, delay = inspectInterval) =>
    ({ kind: 'elsewhere', end: { state: 'handed_off', reference: to, delay } }) as const
  const { run } = attempt
  const { purge, reference } = lease
  const purger = await purgerOf(attempt, lease, runner)
  const erases = purger.erases !== false
  // An engine may answer before the ledger has that it was handed anything.
  if (purger.inspect) await attempt.listen()
  if (reference === undefined) {
    const result = await purger.purge(purge, run)
    return result.kind === 'done' ? { ...result, erases } : handedOff(result.reference, result.askAfter)
  }
  if (!purger.inspect) {
    throw new PermanentPurgeError(
      `The purger ${purger.name} has handed work off, and cannot be asked about it.`,
    )
  }
  const inspection = await purger.inspect(purge, reference, run)
  switch (inspection.state) {
    case 'running':
      if (inspection.counts) attempt.show(inspection.counts)
      return handedOff(inspection.reference ?? reference, inspection.askAfter)
    case 'finished':
      if (inspection.counts) run.progress(inspection.counts)
      return {
        kind: 'done',
        erases,
        mayBeSwept: inspection.mayBeSwept ?? false,
        attachments: inspection.attachments ?? [],
      }
    case 'failed':
      throw new HandOffFailedError(inspection.message)
  }
}

/** The purger that has begun the work, or that is to begin it: then the ledger records which. */
async function purgerOf(
  attempt: Attempt,
  { purge, purger: recorded, reference, checkpoint }: Lease,
  runner: PurgeRunner,
): Promise<IcebergPurger> {
  const before = purgerNamed(runner, recorded)
  if (reference !== undefined && !before) {
    throw new PermanentPurgeError(
      `The purger ${recorded} has handed this purge off, and is not configured any more. Configure it again, and retry.`,
    )
  }
  if (before && (reference !== undefined || checkpoint !== undefined)) return before
  const chosen = await choosePurger(runner, purge, attempt.run)
  if (chosen.name !== recorded) await attempt.assign(chosen.name)
  return chosen
}

/** What an error means for the purge. Throws LeaseLostError: then it means nothing here any more. */
function endOf(
  error: unknown,
  attempt: Attempt,
  lease: Lease,
  { backoff, signal }: PurgeRunner,
  logger: Logger,
): AttemptEnd {
  if (attempt.leaseLost || error instanceof LeaseLostError) throw new LeaseLostError(lease.purge.id)
  if (error instanceof HeldPurgeError) return { state: 'held', reason: error.message }
  if (signal?.aborted) return { state: 'pending', delay: 0, handedBack: true }
  logger.error({ err: error }, 'purge attempt ended with an error')
  const message = error instanceof Error ? error.message : String(error)
  const resubmit = error instanceof HandOffFailedError
  if (!backoff || error instanceof PermanentPurgeError) return { state: 'failed', error: message, resubmit }
  const fruitful = attempt.fruitful && !(error instanceof ResidueError)
  const delay = retryDelay(backoff, fruitful ? 1 : lease.fruitless + lease.throttled)
  if (isThrottled(error as Error)) {
    const asked = error instanceof ThrottledPurgeError ? (error.retryAfter ?? 0) : 0
    return { state: 'pending', delay: Math.max(delay, asked), error: message, throttled: true }
  }
  if (!fruitful && lease.fruitless >= lease.maxAttempts) {
    return { state: 'failed', error: message, resubmit }
  }
  return { state: 'pending', delay, error: message, resubmit, fruitful }
}

/** What was handed off has failed, as its engine says. Counts as a failed attempt; the next one hands it off anew. */
class HandOffFailedError extends RetryablePurgeError {
  override readonly name = 'HandOffFailedError'
}

/** Others wait, and this purge has worked for a while: it goes on when they have had their turn. */
export class YieldError extends Error {
  override readonly name = 'YieldError'
}
