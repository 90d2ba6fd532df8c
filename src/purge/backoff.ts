/** How long to wait before the next attempt: min(max, base × 2^attempts), with full jitter. */
export interface Backoff {
  /** Milliseconds. */
  readonly base: number
  /** Milliseconds. */
  readonly max: number
}

/** Defaults of the idea's first draft: 30 s to 1 h. */
export const defaultBackoff: Backoff = { base: 30_000, max: 3_600_000 }

/**
 * @param attempts in a row that got nothing erased, from 1: the first wait is `base` in the middle, twice that at most.
 * @param random 0 to 1.
 */
export function retryDelay({ base, max }: Backoff, attempts: number, random = Math.random()): number {
  return Math.round(random * Math.min(max, base * 2 ** Math.min(attempts, 30)))
}
