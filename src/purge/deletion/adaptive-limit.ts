/**
 * How many deletions may be in flight against one part of a store: as TCP shares a line (RFC 5681), it doubles at first,
 * and after the first complaint it grows by one for each round; when the store asks for fewer, it is halved. The store's limits are not known beforehand,
 * and other clients use them, too.
 */
import type { Clock } from '../clock.ts'

/** Milliseconds in which several complaints count as one: they are about the same burst. */
const decreasePause = 1_000
/** In flight at first. */
const firstLimit = 4

export class AdaptiveLimit {
  readonly #clock: Clock
  readonly #max: number
  #limit: number
  /** Nobody has complained yet. */
  #slowStart = true
  #inFlight = 0
  #decreasedAt = Number.NEGATIVE_INFINITY
  #pausedUntil = Number.NEGATIVE_INFINITY
  readonly #waiting: (() => void)[] = []

  /** @param max in flight at most. */
  constructor(clock: Clock, max: number) {
    this.#clock = clock
    this.#max = max
    this.#limit = Math.min(firstLimit, max)
  }

  /** How many may be in flight now. */
  get limit(): number {
    return Math.floor(this.#limit)
  }

  /** Runs `work` when it may: at most `limit` at a time, and not before a pause that the store has asked for is over. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal)
    try {
      const result = await work()
      // A limit that nobody comes up against would grow without being tried.
      if (this.#inFlight >= this.limit) this.#grow()
      return result
    } finally {
      this.#inFlight--
      this.#wake()
    }
  }

  /** The store asks for fewer requests; `retryAfter` milliseconds without any, where it says so. */
  throttled(retryAfter = 0): void {
    const now = this.#clock.now()
    this.#pausedUntil = Math.max(this.#pausedUntil, now + retryAfter)
    if (now - this.#decreasedAt < decreasePause) return
    this.#decreasedAt = now
    this.#slowStart = false
    this.#limit = Math.max(1, this.#limit / 2)
  }

  #grow(): void {
    this.#limit = Math.min(this.#max, this.#limit + (this.#slowStart ? 1 : 1 / this.#limit))
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      if (signal?.aborted) {
        // It may have been this one's turn.
        this.#wake()
        throw signal.reason
      }
      const pause = this.#pausedUntil - this.#clock.now()
      if (pause > 0) await this.#clock.sleep(pause, signal)
      else if (this.#inFlight < this.limit) break
      else await this.#turn(signal)
    }
    this.#inFlight++
    this.#wake()
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const leave = () => {
      const at = this.#waiting.indexOf(resolve)
      if (at !== -1) this.#waiting.splice(at, 1)
      resolve()
    }
    this.#waiting.push(resolve)
    signal?.addEventListener('abort', leave, { once: true })
    await promise
    signal?.removeEventListener('abort', leave)
  }

  /** Lets the next one look. */
  #wake(): void {
    if (this.#inFlight < this.limit) this.#waiting.shift()?.()
  }
}
