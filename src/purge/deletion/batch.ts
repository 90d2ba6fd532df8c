import type { DeleteOutcome } from '../../storage/file-io.ts'
import type { Outcome, OutcomeCounts, PathFailure, Stage, Tally } from '../purger.ts'

/** A file of the reach. */
export interface DoomedFile {
  readonly path: string
  /** Bytes; undefined where the table's metadata does not say. */
  readonly size: number | undefined
}

/** Files that are deleted in one call, and what became of them. */
export class Batch {
  readonly #stage: Stage
  #paths: string[] = []
  #sizes: (number | undefined)[] = []
  readonly #counts: { [O in Outcome]?: number } = {}
  readonly #bytes: { [O in Outcome]?: number } = {}
  readonly #rules: Record<string, number> = {}

  constructor(stage: Stage) {
    this.#stage = stage
  }

  get size(): number {
    return this.#paths.length
  }

  get paths(): readonly string[] {
    return this.#paths
  }

  add({ path, size }: DoomedFile): void {
    this.#paths.push(path)
    this.#sizes.push(size)
  }

  /** Counts those that a rule keeps, and is left with the others. */
  keep(rules: readonly (string | undefined)[]): void {
    if (rules.every((rule) => rule === undefined)) return
    const [paths, sizes] = [this.#paths, this.#sizes]
    this.#paths = []
    this.#sizes = []
    for (const [index, path] of paths.entries()) {
      const rule = rules[index]
      if (rule === undefined) {
        this.add({ path, size: sizes[index] })
      } else {
        this.#count('kept', sizes[index])
        this.#rules[rule] = (this.#rules[rule] ?? 0) + 1
      }
    }
  }

  /** Counts the outcomes, and gives the failures. A path without an outcome may be there still. */
  account(outcomes: readonly DeleteOutcome[]): PathFailure[] {
    const failures: PathFailure[] = []
    for (let index = 0; index < this.#paths.length; index++) {
      const outcome = outcomes[index] ?? {
        outcome: 'failed' as const,
        code: 'NoOutcome',
        message: 'The storage said nothing of this path.',
      }
      this.#count(outcome.outcome, this.#sizes[index])
      if (outcome.outcome === 'blocked' || outcome.outcome === 'failed') {
        failures.push({ path: this.#paths[index]!, stage: this.#stage, ...outcome })
      }
    }
    return failures
  }

  /** All outcomes. */
  counts(): OutcomeCounts {
    return { [this.#stage]: { ...this.#counts } }
  }

  /** What is done for good: failures are named in the ledger instead, until they are erased. */
  tally(): Tally {
    const { failed: _failed, blocked: _blocked, ...counts } = this.#counts
    const { failed: _failedBytes, blocked: _blockedBytes, ...bytes } = this.#bytes
    return { counts: { [this.#stage]: counts }, bytes: { [this.#stage]: bytes }, rules: this.#rules }
  }

  #count(outcome: Outcome, size: number | undefined): void {
    this.#counts[outcome] = (this.#counts[outcome] ?? 0) + 1
    if (size !== undefined) this.#bytes[outcome] = (this.#bytes[outcome] ?? 0) + size
  }
}
