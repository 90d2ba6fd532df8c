import { pino } from 'pino'
import { checkpointOf } from '../purge/checkpoint.ts'
import { type Clock, systemClock } from '../purge/clock.ts'
import type {
  KeepRule,
  OutcomeCounts,
  PathFailure,
  Purge,
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
  /** What was saved, by the attempts before, too. */
  readonly tally: () => Tally
  /** All that were named and not resolved. */
  readonly failures: () => Promise<readonly PathFailure[]>
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
  /** @default the system's */
  readonly clock?: Clock
}

/** Whose failures the next one goes on with. */
interface MemoryRun extends TestRun {
  readonly named: ReadonlyMap<string, PathFailure & { readonly own: boolean }>
}

/** Where the runs of a suite come from. */
export interface RunMaker {
  /** One attempt at a purge, which deletes by `io`. */
  make(purge: Purge, io: FileIO, options?: TestRunOptions): Promise<TestRun>
}

/** Runs without a ledger. */
export const memoryRuns: RunMaker = {
  make: async (_purge, io, options) => testRun(io, options),
}

export function testRun(io: FileIO, options: TestRunOptions = {}): TestRun {
  let counts: OutcomeCounts = {}
  const { after } = options as { after?: MemoryRun }
  let tally = after?.tally() ?? emptyTally
  let checkpoint = after?.checkpoint
  const failures = new Map(after?.named)
  const begun = new Set<Stage>()
  const signal = options.signal ?? new AbortController().signal
  const run: MemoryRun = {
    named: failures,
    signal,
    epoch: 1,
    attempt: 1,
    maxAttempts: 5,
    logger: pino({ level: 'silent' }),
    clock: options.clock ?? systemClock,
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
    save: (
      saved,
      { tally: settled = emptyTally, failures: failed = [], own = false, resolved = [] } = {},
    ) => {
      // As from the ledger: what is no JSON does not survive.
      checkpoint = JSON.parse(JSON.stringify(saved ?? null)) as unknown
      begun.add(checkpointOf(checkpoint).stage)
      tally = addTallies(tally, settled)
      for (const path of resolved) failures.delete(path)
      for (const failure of failed) {
        const before = failures.get(failure.path)
        failures.set(failure.path, { ...failure, own: own || before?.own === true })
      }
      return true
    },
    flush: async () => undefined,
    messages: async (prefix = '') => (options.messages ?? []).filter(({ key }) => key.startsWith(prefix)),
    reported: async (stage, which) =>
      [...failures.values()]
        .filter((failure) => failure.stage === stage && failure.own === (which === 'own'))
        .map(({ path }) => path),
    counts: () => counts,
    tally: () => tally,
    failures: async () => [...failures.values()].map(({ own: _own, ...failure }) => failure),
    begun: () => [...begun],
  }
  return run
}
