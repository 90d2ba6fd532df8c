import type { Clock } from '../purge/clock.ts'
import { CommandError } from './failure.ts'
import { UnavailableError } from './management.ts'
import { type Erasure, ErasureRate } from './purge-progress.ts'
import type { PurgeBody } from './purge-text.ts'

/** Milliseconds between two looks. */
const interval = 500
/** Milliseconds without an answer, of a server that has answered before. */
const patience = 60_000
/** Of a purge that could not be watched, whatever has become of it. */
const exitCode = 3
/** What goes on by nobody's doing. */
const ends = ['succeeded', 'failed', 'held', 'cancelled']

/** Where it is shown. */
export interface Watching {
  progress(purge: PurgeBody, erasure: Erasure): void
  /** No answer. */
  interrupted(reason: string): void
  ended(purge: PurgeBody, erasure: Erasure): void
}

export interface WatchOptions {
  /** Throws UnavailableError when it may be tried again. */
  ask(): Promise<PurgeBody>
  readonly output: Watching
  readonly clock: Clock
}

/** Follows a purge to its end, through restarts of the server. Throws CommandError when it cannot be watched. */
export async function watch({ ask, output, clock }: WatchOptions): Promise<PurgeBody> {
  const rate = new ErasureRate()
  let seenAt: number | undefined
  for (;;) {
    try {
      const purge = await ask()
      seenAt = clock.now()
      const erasure = rate.note(purge.counts, seenAt)
      if (ends.includes(purge.state)) {
        output.ended(purge, erasure)
        return purge
      }
      output.progress(purge, erasure)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      const { message } = error
      if (!(error instanceof UnavailableError) || seenAt === undefined) {
        throw new CommandError(message, { cause: error, exitCode })
      }
      if (clock.now() - seenAt >= patience) {
        const text = `${message} It was tried for a minute; the purge is in the ledger, and goes on.`
        throw new CommandError(text, { cause: error, exitCode })
      }
      output.interrupted(message)
    }
    await clock.sleep(interval)
  }
}
