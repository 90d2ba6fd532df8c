/**
 * The engine works on purges for which nobody waits: claims those that are due, a few at a time, and sees to it that
 * each ends. Any number of servers may run one over the same ledger. Warehouses take turns, so that one tenant's ten
 * thousand purges do not stand before another's first.
 */
import { type Backoff, defaultBackoff } from './backoff.ts'
import type { Lease } from './claims.ts'
import { defaultLeaseTime, type PurgeRunner, runAttempt } from './run-purge.ts'

/** What a warehouse brings to its purges. */
export type EngineWarehouse = Pick<PurgeRunner, 'purger' | 'io' | 'observer'>

export interface EngineOptions extends Pick<PurgeRunner, 'database' | 'ledger' | 'logger' | 'owner'> {
  /** By name; only these warehouses' purges are claimed. */
  readonly warehouses: ReadonlyMap<string, EngineWarehouse>
  /** Purges worked on at a time. @default 4 */
  readonly workers?: number
  /** Milliseconds between two looks for purges that nobody has told of; jittered. @default 5000 */
  readonly pollInterval?: number
  /** Milliseconds. @default 300000 */
  readonly leaseTime?: number
  /** @default 30 s to 1 h */
  readonly backoff?: Backoff
}

export class PurgeEngine {
  readonly #options: EngineOptions
  readonly #stopping = new AbortController()
  readonly #working = new Set<Promise<void>>()
  /** Warehouses in the order of their turns. */
  #turns: string[]
  #timer: NodeJS.Timeout | undefined
  #filling: Promise<void> | undefined
  #again = false

  constructor(options: EngineOptions) {
    this.#options = options
    this.#turns = [...options.warehouses.keys()]
  }

  start(): void {
    this.notify()
  }

  /** There may be a purge that is due: looks now instead of at the next poll. */
  notify(): void {
    if (this.#stopping.signal.aborted || this.#turns.length === 0) return
    this.#again = true
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined
    })
  }

  /** Stops before the next batch of every purge, and hands the leases back without costing an attempt. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The server stops.'))
    clearTimeout(this.#timer)
    await this.#filling
    await Promise.all(this.#working)
  }

  async #fill(): Promise<void> {
    clearTimeout(this.#timer)
    while (this.#again && !this.#stopping.signal.aborted) {
      this.#again = false
      try {
        await this.#claimAll()
      } catch (error) {
        this.#options.logger.warn({ err: error }, 'purges not claimed: the database does not answer')
      }
    }
    if (this.#stopping.signal.aborted) return
    const interval = this.#options.pollInterval ?? 5_000
    this.#timer = setTimeout(() => this.notify(), interval * (0.75 + Math.random() / 2)).unref()
  }

  /** Claims one purge of each warehouse in turn until all workers are busy or nothing is due. */
  async #claimAll(): Promise<void> {
    const { ledger, owner, leaseTime = defaultLeaseTime, workers = 4 } = this.#options
    let idle = 0
    while (this.#working.size < workers && idle < this.#turns.length) {
      if (this.#stopping.signal.aborted) return
      const warehouse = this.#turns.shift()!
      this.#turns.push(warehouse)
      const claimed = await ledger.claimNext(warehouse, owner, leaseTime)
      idle = claimed === undefined ? idle + 1 : 0
      if (typeof claimed === 'object') this.#work(claimed)
    }
  }

  #work(lease: Lease): void {
    const { warehouses, backoff = defaultBackoff, ...options } = this.#options
    const warehouse = warehouses.get(lease.purge.warehouse)!
    const attempt = runAttempt(lease, { ...options, ...warehouse, backoff, signal: this.#stopping.signal })
    const done: Promise<void> = attempt
      .then(
        () => undefined,
        (error: unknown) => {
          // The lease runs out, and the purge is taken up again by whoever comes first.
          options.logger.warn({ err: error, purge: lease.purge.id }, 'attempt at a purge left without an end')
        },
      )
      .finally(() => {
        this.#working.delete(done)
        this.notify()
      })
    this.#working.add(done)
  }
}
