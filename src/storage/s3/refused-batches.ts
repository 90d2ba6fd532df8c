/** Milliseconds for which a bucket is remembered: policies change, stores are updated. */
const memory = 600_000

/** The buckets where DeleteObjects is refused while single deletions are allowed: they are not asked in vain for each batch. */
export class RefusedBatches {
  readonly #until = new Map<string, number>()
  readonly #now: () => number

  /** @param now milliseconds that never go back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  add(bucket: string): void {
    this.#until.set(bucket, this.#now() + memory)
  }

  has(bucket: string): boolean {
    const until = this.#until.get(bucket)
    if (until === undefined || this.#now() < until) return until !== undefined
    this.#until.delete(bucket)
    return false
  }
}
