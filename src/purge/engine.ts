/**
 * The engine works on purges for which nobody waits: claims those that are due, a few at a time, and sees to it that
 * each ends. Any number of servers may run one over the same ledger. Warehouses take turns (`turns.ts`), so that one
 * tenant's ten thousand purges do not stand before another's first; and a purge that has worked for a while lets those that
 * wait go before it, so that a small one does not stand behind a huge one.
 */
import { type Backoff, defaultBackoff } from './backoff.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Lease } from './ledger/claims.ts'
import type { Due } from './ledger/due.ts'
import { LeaseLostError } from './ledger/leased.ts'
import { LookTimes } from './look-times.ts'
import { pruneNowAndThen } from './prune.ts'
import { type PurgeRunner, type PurgeWarehouse, runAttempt, YieldError } from './run-attempt.ts'
import { Patience, TimeSlice } from './time-slice.ts'
import { Turns, type TurnTerms } from './turns.ts'

export interface EngineWarehouse extends PurgeWarehouse, TurnTerms {
  /** Milliseconds between two looks for its purges. @default the engine's */
  readonly pollInterval?: number
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
  readonly lease: Lease
  readonly began: number
  readonly slice: TimeSlice
  readonly yielding: AbortController
  readonly done: Promise<void>
}

export class PurgeEngine {
  readonly #options: EngineOptions
  readonly #workers: number
  readonly #clock: Clock
  readonly #stopping = new AbortController()
  readonly #working = new Set<Working>()
  readonly #patience = new Patience()
  readonly #turns: Turns
  readonly #looks: LookTimes
  #loop: Promise<void> | undefined
  #pruning: Promise<void> | undefined
  #woken = Promise.withResolvers<void>()
  #unlisten: (() => Promise<void>) | undefined

  constructor(options: EngineOptions) {
    const { warehouses, workers = 4, clock = systemClock, pollInterval = 5_000 } = options
    this.#options = options
    this.#workers = workers
    this.#clock = clock
    this.#turns = new Turns(warehouses)
    const intervals = Array.from(
      warehouses,
      ([name, warehouse]) => [name, warehouse.pollInterval ?? pollInterval] as const,
    )
    this.#looks = new LookTimes(new Map(intervals), clock.now())
  }

  /** Begins to work. Hears of other servers' purges where the database can tell. */
  async start(): Promise<void> {
    if (this.#options.warehouses.size === 0) return
    this.#unlisten = await this.#options.database.listen(() => this.notify())
    this.#loop = this.#run()
    this.#pruning = pruneNowAndThen({
      ...this.#options,
      clock: this.#clock,
      signal: this.#stopping.signal,
    })
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
    await this.#pruning
    await Promise.all(Array.from(this.#working, ({ done }) => done))
  }

  async #run(): Promise<void> {
    let isTold = false
    while (!this.#stopping.signal.aborted) {
      this.#woken = Promise.withResolvers()
      const now = this.#clock.now()
      const warehouses = isTold ? this.#looks.all : this.#looks.due(now)
      this.#looks.looked(warehouses, now)
      let looked = now
      try {
        await this.#claim(warehouses)
        looked = this.#clock.now()
        await this.#makeRoom(looked)
      } catch (error) {
        this.#options.logger.warn({ err: error }, 'purges not claimed: the database does not answer')
      }
      isTold = await this.#rest(looked)
    }
  }

  /**
   * Until the next poll, until a time slice is over, or until something has happened: then true.
   *
   * @param looked when it was last looked for slices that are over: one that has ended since then counts.
   */
  async #rest(looked: number): Promise<boolean> {
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, this.#stopping.signal])
    const now = this.#clock.now()
    const slices = [...this.#working].filter(({ slice }) => !slice.isOver(looked))
    const wait = Math.min(this.#looks.wait(now), ...slices.map(({ slice }) => slice.left(now)))
    const polled = this.#clock.sleep(wait, signal).then(
      () => false,
      () => false,
    )
    const isTold = await Promise.race([polled, this.#woken.promise.then(() => true)])
    over.abort()
    return isTold
  }

  /** Claims purges of these warehouses until all workers are busy or nothing is due. */
  async #claim(warehouses: ReadonlySet<string>): Promise<void> {
    const { ledger, owner, claimBatch = 16 } = this.#options
    while (!this.#stopping.signal.aborted) {
      const turns = this.#turns.of(warehouses, this.#counts())
      const free = Math.min(this.#workers - this.#working.size, claimBatch)
      if (free <= 0 || turns.length === 0) return
      const { leases, settled } = await ledger.claimDue(turns, owner, free)
      for (const lease of leases) this.#work(lease)
      this.#turns.served(leases)
      if (leases.length === 0 && settled === 0) return
    }
  }

  /** Purges that are worked on, by warehouse. */
  #counts(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { lease } of this.#working) {
      const { warehouse } = lease.purge
      counts.set(warehouse, (counts.get(warehouse) ?? 0) + 1)
    }
    return counts
  }

  /** Where others wait for a place, has a purge of the lowest priority that has worked for longest go behind them. */
  async #makeRoom(now: number): Promise<void> {
    const working = [...this.#working]
    // One after the other.
    if (working.some(({ yielding }) => yielding.signal.aborted)) return
    const over = working.filter(({ slice }) => slice.isOver(now))
    if (over.length === 0 || !this.#isFull()) return
    const due = await this.#options.ledger.due()
    const yielding = over
      .toSorted((a, b) => a.lease.priority - b.lease.priority || a.began - b.began)
      .find((place) => due.some((waiting) => this.#wouldTake(place, waiting)))
    yielding?.slice.end()
    yielding?.yielding.abort(new YieldError('Other purges wait.'))
  }

  /** Somebody may wait for a place: all workers are busy, or those that a warehouse may have. */
  #isFull(): boolean {
    if (this.#working.size >= this.#workers) return true
    const counts = this.#counts()
    return [...counts.keys()].some((warehouse) => this.#turns.room(warehouse, counts) <= 0)
  }

  /** Whether one that waits waits for want of such a place, and would get it. */
  #wouldTake({ lease }: Working, { warehouse, rank }: Due): boolean {
    // It would be claimed again before the other.
    if (lease.priority > rank) return false
    const counts = this.#counts()
    const hasRoom = this.#turns.room(warehouse, counts) > 0
    return lease.purge.warehouse === warehouse
      ? !hasRoom || this.#working.size >= this.#workers
      : hasRoom && this.#working.size >= this.#workers
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
      lease,
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
}
