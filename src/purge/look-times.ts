/** When an engine looks for the purges of each warehouse that nobody has told of: each at its own interval, jittered. */
export class LookTimes {
  readonly #intervals: ReadonlyMap<string, number>
  readonly #next: Map<string, number>

  /** The first look is due at once. @param intervals milliseconds, by warehouse; at least one. */
  constructor(intervals: ReadonlyMap<string, number>, now: number) {
    this.#intervals = intervals
    this.#next = new Map(Array.from(intervals.keys(), (warehouse) => [warehouse, now]))
  }

  get all(): ReadonlySet<string> {
    return new Set(this.#intervals.keys())
  }

  /** The warehouses whose time has come. */
  due(now: number): ReadonlySet<string> {
    return new Set([...this.#next.keys()].filter((warehouse) => this.#next.get(warehouse)! <= now))
  }

  /** They are looked into now. */
  looked(warehouses: ReadonlySet<string>, now: number): void {
    for (const warehouse of warehouses) {
      this.#next.set(warehouse, now + this.#intervals.get(warehouse)! * (0.75 + Math.random() / 2))
    }
  }

  /** Milliseconds until the next look. */
  wait(now: number): number {
    return Math.max(0, Math.min(...this.#next.values()) - now)
  }
}
