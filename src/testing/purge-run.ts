import { pino } from 'pino'
import { checkpointOf } from '../purge/checkpoint.ts'
import type {
  KeepRule,
  OutcomeCounts,
  PathFailure,
  PurgeMessage,
  PurgeRun,
  Stage,
  Tally,
} from '../purge/purger.ts'
import { addCounts, addTallies, emptyTally } from '../purge/tally.ts'
import type { FileIO } from '../storage/file-io.ts'

/** A run without a ledger: keeps in memory what a purger reports. */
export interface TestRun extends PurgeRun {
  /** Everything that was told by `progress`. */
  readonly counts: () => OutcomeCounts
  /** What was saved. */
  readonly tally: () => Tally
  /** All that were named and not resolved. */
  readonly failures: () => readonly PathFailure[]
  /** Stages that were saved, in the order in which they began. */
  readonly begun: () => readonly Stage[]
}

export interface TestRunOptions {
  readonly signal?: AbortSignal
  /** An attempt that this one goes on from. */
  readonly after?: TestRun
  readonly keep?: KeepRule
  /** Places of others inside the purge's own. @default none */
  readonly enclosed?: readonly string[]
  /** What external engines have said. @default none */
  readonly messages?: readonly PurgeMessage[]
  /** @default 4 */
  readonly deleteConcurrency?: number
}

export function testRun(io: FileIO, options: TestRunOptions = {}): TestRun {
  let counts: OutcomeCounts = {}
  let tally = options.after?.tally() ?? emptyTally
  let checkpoint = options.after?.checkpoint
  const failures = new Map(options.after?.failures().map((failure) => [failure.path, failure]))
  const begun = new Set<Stage>()
  const signal = options.signal ?? new AbortController().signal
  return {
    signal,
    epoch: 1,
    attempt: 1,
    logger: pino({ level: 'silent' }),
    io,
    keep: options.keep ?? (async (paths) => paths.map(() => undefined)),
    enclosed: async () => options.enclosed ?? [],
    deleteConcurrency: options.deleteConcurrency ?? 4,
    get checkpoint() {
      return checkpoint
    },
    begin: async () => undefined,
    confirm: async () => signal.throwIfAborted(),
    expect: () => undefined,
    progress: (delta) => {
      counts = addCounts(counts, delta)
    },
    save: (saved, { tally: settled = emptyTally, failures: failed = [], resolved = [] } = {}) => {
      // As from the ledger: what is no JSON does not survive.
      checkpoint = JSON.parse(JSON.stringify(saved ?? null)) as unknown
      begun.add(checkpointOf(checkpoint).stage)
      tally = addTallies(tally, settled)
      for (const path of resolved) failures.delete(path)
      for (const failure of failed) failures.set(failure.path, failure)
      return true
    },
    flush: async () => undefined,
    messages: async () => options.messages ?? [],
    reported: async (stage) =>
      [...failures.values()].filter((failure) => failure.stage === stage).map(({ path }) => path),
    counts: () => counts,
    tally: () => tally,
    failures: () => [...failures.values()],
    begun: () => [...begun],
  }
}
