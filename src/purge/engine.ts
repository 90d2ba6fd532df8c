/**
 * The engine works on purges for which nobody waits: claims those that are due, a few at a time, and sees to it that
 * each ends. Any number of servers may run one over the same ledger. Warehouses take turns, so that one tenant's ten
 * thousand purges do not stand before another's first; and a purge that has worked for a while lets those that wait go
 * before it, so that a small one does not stand behind a huge one.
 */
import { type Backoff, defaultBackoff } from './backoff.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Lease } from './ledger/claims.ts'
import { LeaseLostError } from './ledger/leased.ts'
import type { Turn } from './ledger/ledger.ts'
import {
  defaultLeaseTime,
  type PurgeRunner,
  type PurgeWarehouse,
  runAttempt,
  YieldError,
} from './run-attempt.ts'
import { Patience, TimeSlice } from './time-slice.ts'

/** Milliseconds between two looks for purges whose time in the ledger is over. */
const pruneInterval = 600_000

export interface EngineWarehouse extends PurgeWarehouse {
  /** Milliseconds for which ended purges stay in the ledger. @default 604800000, a week */
  readonly completedRetention?: number
  /** @default 30 s to 1 h */
  readonly backoff?: Backoff
}

export interface EngineOptions extends Pick<PurgeRunner, 'database' | 'ledger' | 'logger' | 'owner'> {
  /** By name; only these warehouses' purges are claimed. */
  readonly warehouses: ReadonlyMap<string, EngineWarehouse>
  /** Purges worked on at a time. @default 4 */
  readonly workers?: number
  /** Milliseconds between two looks for purges that nobody has told of; jittered. @default 5000 */
  readonly pollInterval?: number
  /** Purges that one transaction claims, at most. @default 16 */
  readonly claimBatch?: number
  /** Milliseconds that a purge works before it lets others go first; see `time-slice.ts`. @default 2000 */
  readonly timeSlice?: number
  /** @default the system's */
  readonly clock?: Clock
}

/** An attempt that is under way. */
interface Working {
  readonly began: number
  readonly slice: TimeSlice
  readonly yielding: AbortController
  readonly done: Promise<void>
}

export class PurgeEngine {
  readonly #options: EngineOptions
  readonly #clock: Clock
  readonly #stopping = new AbortController()
  readonly #working = new Set<Working>()
  readonly #patience = new Patience()
  /** Warehouses in the order of their turns. */
  #turns: Turn[]
  #loop: Promise<void> | undefined
  #woken = Promise.withResolvers<void>()
  #unlisten: (() => Promise<void>) | undefined

  constructor(options: EngineOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#turns = Array.from(options.warehouses, ([warehouse, { leaseTime = defaultLeaseTime }]) => ({
      warehouse,
      leaseTime,
    }))
  }

  /** Begins to work. Hears of other servers' purges where the database can tell. */
  async start(): Promise<void> {
    if (this.#turns.length === 0) return
    this.#unlisten = await this.#options.database.listen(() => this.notify())
    this.#loop = this.#run()
  }

  /** There may be a purge that is due: looks now instead of at the next poll. */
  notify(): void {
    this.#woken.resolve()
  }

  /** Stops before the next batch of every purge, and hands the leases back without costing an attempt. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The server stops.'))
    this.notify()
    await this.#unlisten?.()
    await this.#loop
    await Promise.all(Array.from(this.#working, ({ done }) => done))
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    let pruneAt = this.#clock.now() + Math.random() * pruneInterval
    while (!signal.aborted) {
      this.#woken = Promise.withResolvers()
      try {
        await this.#claim()
        if (this.#clock.now() >= pruneAt) {
          pruneAt = this.#clock.now() + pruneInterval * (0.5 + Math.random())
          await this.#prune()
        }
      } catch (error) {
        this.#options.logger.warn({ err: error }, 'purges not claimed: the database does not answer')
      }
      await this.#rest()
    }
  }

  /** Until the next poll, or until something has happened. */
  async #rest(): Promise<void> {
    const { pollInterval = 5_000 } = this.#options
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, this.#stopping.signal])
    const poll = this.#clock.sleep(pollInterval * (0.75 + Math.random() / 2), signal).catch(() => undefined)
    await Promise.race([poll, this.#woken.promise])
    over.abort()
  }

  /** Claims purges until all workers are busy or nothing is due. */
  async #claim(): Promise<void> {
    const { ledger, owner, workers = 4, claimBatch = 16 } = this.#options
    while (!this.#stopping.signal.aborted) {
      const free = Math.min(workers - this.#working.size, claimBatch)
      if (free <= 0) return await this.#makeRoom()
      const { leases, settled } = await ledger.claimDue(this.#turns, owner, free)
      for (const lease of leases) this.#work(lease)
      this.#rotate(leases.at(-1))
      if (leases.length === 0 && settled === 0) return
    }
  }

  /** The next claim begins with the warehouse after the one that was served last. */
  #rotate(last: Lease | undefined): void {
    const at = this.#turns.findIndex(({ warehouse }) => warehouse === last?.purge.warehouse)
    if (at !== -1) this.#turns = [...this.#turns.slice(at + 1), ...this.#turns.slice(0, at + 1)]
  }

  /** Where others wait, has the purge that has worked for longest go behind them. */
  async #makeRoom(): Promise<void> {
    const { ledger, warehouses } = this.#options
    const working = [...this.#working]
    // One after the other.
    if (working.some(({ yielding }) => yielding.signal.aborted)) return
    const over = working.filter(({ slice }) => slice.isOver(this.#clock.now()))
    const [oldest] = over.toSorted((a, b) => a.began - b.began)
    if (oldest && (await ledger.isAnyDue(warehouses.keys()))) {
      oldest.slice.end()
      oldest.yielding.abort(new YieldError('Other purges wait.'))
    }
  }

  #work(lease: Lease): void {
    const { warehouses, database, ledger, logger, owner, timeSlice = 2_000 } = this.#options
    const began = this.#clock.now()
    const slice = new TimeSlice(lease.purge.id, began, timeSlice, this.#patience)
    const warehouse = warehouses.get(lease.purge.warehouse)!
    const yielding = new AbortController()
    const attempt = runAttempt(lease, {
      backoff: defaultBackoff,
      ...warehouse,
      database,
      ledger,
      logger,
      owner,
      clock: this.#clock,
      signal: AbortSignal.any([this.#stopping.signal, yielding.signal]),
      onErased: () => slice.erased(this.#clock.now()),
    })
    const working: Working = {
      began,
      slice,
      yielding,
      done: attempt.then(
        ({ state }) => {
          if (state !== 'pending') this.#patience.forget(lease.purge.id)
          this.#leave(working)
        },
        (error: unknown) => {
          if (error instanceof LeaseLostError) logger.info({ purge: lease.purge.id }, error.message)
          // The lease runs out, and the purge is taken up again by whoever comes first.
          else logger.warn({ err: error, purge: lease.purge.id }, 'attempt at a purge left without an end')
          this.#leave(working)
        },
      ),
    }
    this.#working.add(working)
  }

  #leave(working: Working): void {
    this.#working.delete(working)
    this.notify()
  }

  async #prune(): Promise<void> {
    const { ledger, warehouses, logger } = this.#options
    for (const [warehouse, { completedRetention = 604_800_000 }] of warehouses) {
      const pruned = await ledger.prune(warehouse, completedRetention)
      if (pruned > 0) logger.info({ warehouse, pruned }, 'ended purges removed from the ledger')
    }
  }
}
