import type { Clock } from '../clock.ts'

/** At most so many files a second, over all who ask. Files are paid for afterwards: a batch is never cut. */
export class RateLimit {
  readonly #clock: Clock
  readonly #perSecond: number
  #free = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock
    this.#perSecond = perSecond
  }

  /** Resolves when these files may be deleted. Rejects with the signal's reason when that aborts. */
  async take(files: number, signal?: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    const begin = Math.max(this.#free, now)
    this.#free = begin + (files / this.#perSecond) * 1_000
    if (begin > now) await this.#clock.sleep(begin - now, signal)
  }
}
