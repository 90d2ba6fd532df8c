import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../purge/clock.ts'

interface Sleeper {
  readonly at: number
  wake(): void
}

/** A clock that stands still until it is told to go on. */
export class VirtualClock implements Clock {
  #now = 0
  readonly #sleepers = new Set<Sleeper>()

  now(): number {
    return this.#now
  }

  /** Milliseconds to the next waking; undefined when nobody sleeps. */
  get nextWaking(): number | undefined {
    const times = Array.from(this.#sleepers, ({ at }) => at)
    return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - this.#now)
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const sleeper: Sleeper = {
        at: this.#now + milliseconds,
        wake: () => {
          signal?.removeEventListener('abort', onAbort)
          this.#sleepers.delete(sleeper)
          resolve()
        },
      }
      const onAbort = () => {
        this.#sleepers.delete(sleeper)
        reject(signal!.reason as Error)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#sleepers.add(sleeper)
    })
  }

  /** Lets so many milliseconds pass, waking each sleeper at its time. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    await turn()
    for (;;) {
      const [next] = [...this.#sleepers].toSorted((a, b) => a.at - b.at)
      if (!next || next.at > end) break
      this.#now = Math.max(this.#now, next.at)
      next.wake()
      await turn()
    }
    this.#now = end
    await turn()
  }
}
