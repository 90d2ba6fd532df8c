import { unlessAborted } from '../../storage/concurrency.ts'
import type { Clock } from '../clock.ts'

/**
 * At most so many files a second, over all who ask, in the order in which they ask. Files are paid for afterwards: a batch is
 * never cut. Who gives up while it waits has taken nothing.
 */
export class RateLimit {
  readonly #clock: Clock
  readonly #perSecond: number
  #free = Number.NEGATIVE_INFINITY
  /** Resolves when all who asked before have got their files or given up. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock
    this.#perSecond = perSecond
  }

  /** Resolves when these files may be deleted. Rejects with the signal's reason when that aborts. */
  async take(files: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const before = this.#turn
    const { promise: over, resolve: leave } = Promise.withResolvers<void>()
    this.#turn = Promise.all([before, over])
    try {
      await (signal ? unlessAborted(before, signal) : before)
      const wait = this.#free - this.#clock.now()
      if (wait > 0) await this.#clock.sleep(wait, signal)
      this.#free = Math.max(this.#free, this.#clock.now()) + (files / this.#perSecond) * 1_000
    } finally {
      leave()
    }
  }
}
