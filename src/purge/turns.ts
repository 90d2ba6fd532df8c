/** The warehouses of an engine: the order in which they are served, and what each may have of its workers. */
import type { Lease } from './ledger/claims.ts'
import type { Turn } from './ledger/turns.ts'
import { defaultLeaseTime } from './run-attempt.ts'

/** What a warehouse may set for itself. */
export interface TurnTerms {
  /** Milliseconds. @default 300000 */
  readonly leaseTime?: number
  /** Its purges that are worked on at a time, at most. @default all workers */
  readonly workers?: number
  /** Its purges that one transaction claims, at most. @default the engine's */
  readonly claimBatch?: number
}

export class Turns {
  readonly #warehouses: ReadonlyMap<string, TurnTerms>
  /** Begins with the one that is next. */
  #order: readonly string[]
  /** Those of which the last purge that was claimed was one to be asked about. */
  readonly #asked = new Set<string>()

  constructor(warehouses: ReadonlyMap<string, TurnTerms>) {
    this.#warehouses = warehouses
    this.#order = [...warehouses.keys()]
  }

  /**
   * What these may have of the next claim, in their order; none of those that have no room.
   *
   * @param working purges that are worked on, by warehouse.
   */
  of(names: ReadonlySet<string>, working: ReadonlyMap<string, number>): Turn[] {
    return this.#order
      .filter((name) => names.has(name) && this.room(name, working) > 0)
      .map((warehouse) => {
        const { leaseTime = defaultLeaseTime, claimBatch = Number.POSITIVE_INFINITY } =
          this.#warehouses.get(warehouse)!
        const limit = Math.min(claimBatch, this.room(warehouse, working))
        return { warehouse, leaseTime, limit, asked: this.#asked.has(warehouse) }
      })
  }

  /** How many more purges of a warehouse may be worked on; none of one that is not served here. */
  room(warehouse: string, working: ReadonlyMap<string, number>): number {
    const terms = this.#warehouses.get(warehouse)
    if (!terms) return 0
    return (terms.workers ?? Number.POSITIVE_INFINITY) - (working.get(warehouse) ?? 0)
  }

  /** The next claim begins with the warehouse after the one that was served last. */
  served(leases: readonly Lease[]): void {
    for (const { purge, reference } of leases) {
      if (reference === undefined) this.#asked.delete(purge.warehouse)
      else this.#asked.add(purge.warehouse)
    }
    const at = this.#order.indexOf(leases.at(-1)?.purge.warehouse ?? '')
    if (at !== -1) this.#order = [...this.#order.slice(at + 1), ...this.#order.slice(0, at + 1)]
  }
}
