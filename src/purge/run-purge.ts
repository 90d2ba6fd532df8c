/** One attempt at one purge: claim, guard, work under a lease that is kept alive, and the entry of how it ended. */
import type { Logger } from 'pino'
import type { Database } from '../database/database.ts'
import type { PurgeState } from '../database/schema/purges.ts'
import type { FileIO } from '../storage/file-io.ts'
import { type Backoff, retryDelay } from './backoff.ts'
import { addCounts } from './counts.ts'
import { keepOthers } from './guard.ts'
import { type AttemptEnd, type Lease, LeaseLostError, type Ledger } from './ledger.ts'
import {
  HeldPurgeError,
  type IcebergPurger,
  type OutcomeCounts,
  PermanentPurgeError,
  type PurgeRun,
} from './purger.ts'

/** Milliseconds. */
export const defaultLeaseTime = 300_000

export interface PurgeRunner {
  readonly database: Database
  readonly ledger: Ledger
  readonly purger: IcebergPurger
  readonly io: FileIO
  readonly logger: Logger
  /** Name of this server in leases: `host:pid`. */
  readonly owner: string
  /** Milliseconds. @default 300000 */
  readonly leaseTime?: number
  /** Aborted when the server stops. */
  readonly signal?: AbortSignal
  readonly observer?: PurgeObserver
  /** Tries again what may pass. Without it every error ends the purge as failed: somebody waits for the answer. */
  readonly backoff?: Backoff
}

/** Told what happens; for metrics. */
export interface PurgeObserver {
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
 * with the files: that is in the ledger. Throws when the database fails, or {@link LeaseLostError}.
 */
export async function runPurge(id: string, runner: PurgeRunner): Promise<PurgeEnd> {
  const { ledger } = runner
  const lease = await ledger.claim(id, runner.owner, runner.leaseTime ?? defaultLeaseTime)
  if (lease) return await runAttempt(lease, runner)
  const record = await ledger.get(id)
  return { state: record?.state ?? 'cancelled', message: record?.holdReason ?? record?.lastError }
}

/** Runs one attempt under a lease. Throws as {@link runPurge} does. */
export async function runAttempt(lease: Lease, runner: PurgeRunner): Promise<PurgeEnd> {
  const { ledger, purger, observer } = runner
  const began = performance.now()
  const log = runner.logger.child({ purge: lease.purge.id, attempt: lease.attempt })
  const attempt = new Attempt(runner, lease, runner.leaseTime ?? defaultLeaseTime, log)
  try {
    const end = await work(attempt, purger, runner)
    attempt.stop()
    await ledger.finish(lease, end, attempt.takeCounts())
    observer?.finished(end.state, performance.now() - began)
    const message = end.state === 'held' ? end.reason : 'error' in end ? end.error : undefined
    if (end.state === 'succeeded') log.info('purge succeeded')
    else log.warn({ reason: message }, `purge ${end.state}`)
    return { state: end.state, message }
  } finally {
    attempt.stop()
  }
}

async function work(attempt: Attempt, purger: IcebergPurger, runner: PurgeRunner): Promise<AttemptEnd> {
  const { lease } = attempt
  try {
    const result = await purger.purge(lease.purge, attempt.run)
    if (result.kind === 'handed_off') {
      throw new PermanentPurgeError(
        `The purger ${purger.name} handed the work off; only finished work is accepted.`,
      )
    }
    return { state: 'succeeded' }
  } catch (error) {
    if (error instanceof LeaseLostError) throw error
    if (attempt.leaseLost) throw new LeaseLostError(lease.purge.id)
    if (error instanceof HeldPurgeError) return { state: 'held', reason: error.message }
    const message = error instanceof Error ? error.message : String(error)
    const { backoff } = runner
    if (backoff && runner.signal?.aborted) return { state: 'pending', delay: 0, handedBack: true }
    attempt.log.error({ err: error }, 'purge attempt ended with an error')
    if (!backoff || error instanceof PermanentPurgeError || lease.attempt >= lease.maxAttempts) {
      return { state: 'failed', error: message }
    }
    return { state: 'pending', delay: retryDelay(backoff, lease.attempt), error: message }
  }
}

/** Keeps a lease alive and collects the counters while a purger works. */
class Attempt {
  readonly lease: Lease
  readonly run: PurgeRun
  readonly log: Logger
  leaseLost = false
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  #counts: OutcomeCounts = {}

  constructor(runner: PurgeRunner, lease: Lease, leaseTime: number, log: Logger) {
    this.lease = lease
    this.log = log
    const { ledger } = runner
    const signals = [this.#controller.signal, ...(runner.signal ? [runner.signal] : [])]
    this.run = {
      signal: AbortSignal.any(signals),
      epoch: lease.epoch,
      attempt: lease.attempt,
      logger: log,
      io: runner.io,
      keep: keepOthers(runner.database.reader, lease.purge),
      stage: lease.stage,
      begin: (stage) => ledger.begin(lease, stage),
      now: () => Date.now(),
      progress: (counts) => {
        this.#counts = addCounts(this.#counts, counts)
        runner.observer?.progressed(counts)
      },
      report: (failures) => ledger.reportFailures(lease, failures),
    }
    this.#timer = setInterval(() => void this.#beat(ledger, leaseTime), beatInterval(leaseTime))
  }

  /** What was counted since the last time. */
  takeCounts(): OutcomeCounts {
    const counts = this.#counts
    this.#counts = {}
    return counts
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #beat(ledger: Ledger, leaseTime: number): Promise<void> {
    const counts = this.takeCounts()
    try {
      await ledger.beat(this.lease, leaseTime, counts)
    } catch (error) {
      this.#counts = addCounts(counts, this.#counts)
      if (error instanceof LeaseLostError) {
        this.leaseLost = true
        this.#controller.abort(error)
      } else {
        // The lease has two thirds of its time left: the next beat may go through.
        this.log.warn({ err: error }, 'lease of purge not renewed')
      }
    }
  }
}

/** A third of the lease, and often enough that progress can be watched. */
function beatInterval(leaseTime: number): number {
  return Math.min(leaseTime / 3, 1_000)
}
