/** Work for which nobody waits gives way to requests where both want the same processors. */
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { Logger } from 'pino'

/** Of nice(2): 0 is ordinary, 19 comes last. Beside a thread that answers requests it gets a tenth of a processor. */
const niceness = 10

/**
 * Puts the calling thread behind those of ordinary priority; what they leave of the processors it has to itself. Only on
 * Linux has a thread a priority of its own (setpriority(2), "C library/kernel differences"). Where the system does not
 * allow it, says so and goes on: nothing but latency depends on it.
 */
export function giveWay(logger: Logger): void {
  if (process.platform !== 'linux') return
  try {
    // PID/task/TID
    const thread = readlinkSync('/proc/thread-self')
    setPriority(Number(thread.slice(thread.lastIndexOf('/') + 1)), niceness)
  } catch (error) {
    logger.info({ err: error }, 'the purge workers do not give way to requests: the system does not let them')
  }
}
