import { setTimeout as wait } from 'node:timers/promises'

/** Time that passes in this process. Leases go by the database's clock; this one only paces the work between. */
export interface Clock {
  /** Milliseconds from any beginning; never goes back. */
  now(): number
  /** Resolves after so many milliseconds. Rejects with the signal's reason when that aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    try {
      await wait(milliseconds, undefined, signal ? { signal } : {})
    } catch (error) {
      throw signal?.aborted ? (signal.reason as Error) : error
    }
  },
}
