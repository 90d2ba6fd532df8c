import { pino } from 'pino'
import { addCounts } from '../purge/counts.ts'
import type { KeepRule, OutcomeCounts, PathFailure, PurgeRun, Stage } from '../purge/purger.ts'
import type { FileIO } from '../storage/file-io.ts'

/** A run without a ledger: keeps in memory what a purger reports. */
export interface TestRun extends PurgeRun {
  readonly counts: () => OutcomeCounts
  readonly failures: readonly PathFailure[]
  /** Stages in the order in which they began. */
  readonly begun: readonly Stage[]
}

export function testRun(
  io: FileIO,
  options: { readonly signal?: AbortSignal; readonly stage?: Stage; readonly keep?: KeepRule } = {},
): TestRun {
  let counts: OutcomeCounts = {}
  const failures: PathFailure[] = []
  const begun: Stage[] = []
  return {
    signal: options.signal ?? new AbortController().signal,
    epoch: 1,
    attempt: 1,
    logger: pino({ level: 'silent' }),
    io,
    keep: options.keep ?? (async (paths) => paths.map(() => undefined)),
    stage: options.stage ?? 'data',
    begin: async (stage) => void begun.push(stage),
    now: Date.now,
    progress: (delta) => {
      counts = addCounts(counts, delta)
    },
    report: async (named) => void failures.push(...named),
    counts: () => counts,
    failures,
    begun,
  }
}
