/** How long to wait before the next attempt: min(max, base × 2^attempt), with full jitter. */
export interface Backoff {
  /** Milliseconds. */
  readonly base: number
  /** Milliseconds. */
  readonly max: number
}

/** Defaults of the idea's first draft: 30 s to 1 h. */
export const defaultBackoff: Backoff = { base: 30_000, max: 3_600_000 }

/** @param random 0 to 1. */
export function retryDelay({ base, max }: Backoff, attempt: number, random = Math.random()): number {
  return Math.round(random * Math.min(max, base * 2 ** Math.min(attempt, 30)))
}
