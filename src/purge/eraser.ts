/**
 * The one way in which files are deleted. Paths go in, in any number; they are asked of the keep rule, deleted in
 * batches, counted by outcome, and named when they could not be erased.
 */
import type { DeleteOutcome } from '../storage/file-io.ts'
import {
  type Outcome,
  type PathFailure,
  PermanentPurgeError,
  type PurgeRun,
  RetryablePurgeError,
  type Stage,
} from './purger.ts'

/** Paths of one call of deleteFiles: what S3 takes in one request. */
export const batchSize = 1_000

/** Erases the paths of one stage. */
export class StageEraser {
  readonly #run: PurgeRun
  readonly #stage: Stage
  readonly #rule: string | undefined
  #pending: string[] = []
  #failed = 0
  #blocked = 0
  #example: PathFailure | undefined

  /** @param rule keeps every path of the stage, under this name. */
  constructor(run: PurgeRun, stage: Stage, rule?: string) {
    this.#run = run
    this.#stage = stage
    this.#rule = rule
  }

  /** Takes paths, and deletes when a batch is full: awaiting it is the back-pressure. */
  async add(paths: Iterable<string>): Promise<void> {
    for (const path of paths) {
      this.#pending.push(path)
      if (this.#pending.length >= batchSize) await this.#flush()
    }
  }

  /**
   * Deletes what is left, and answers for the stage. Throws RetryablePurgeError when files failed, PermanentPurgeError
   * when the store forbids to delete some: their parents must stay, or nobody could find them again.
   */
  async end(): Promise<void> {
    await this.#flush()
    const problems = [
      this.#failed > 0 ? `${this.#failed} could not be deleted` : '',
      this.#blocked > 0 ? `${this.#blocked} must not be deleted (blocked by the store)` : '',
    ].filter((problem) => problem !== '')
    if (problems.length === 0) return
    const { path, code, message } = this.#example!
    const text = `Of the ${this.#stage} files ${problems.join(' and ')}, among them ${path}: ${code}: ${message}`
    throw this.#failed > 0 ? new RetryablePurgeError(text) : new PermanentPurgeError(text)
  }

  async #flush(): Promise<void> {
    const batch = this.#pending
    if (batch.length === 0) return
    this.#pending = []
    this.#run.signal.throwIfAborted()
    const rules =
      this.#rule === undefined
        ? await this.#run.keep(batch)
        : new Array<string>(batch.length).fill(this.#rule)
    const doomed = batch.filter((_, index) => rules[index] === undefined)
    if (doomed.length < batch.length) this.#count('kept', batch.length - doomed.length)
    if (doomed.length === 0) return
    this.#run.signal.throwIfAborted()
    const outcomes = await this.#run.io.deleteFiles(doomed, { signal: this.#run.signal })
    await this.#account(doomed, outcomes)
  }

  async #account(paths: readonly string[], outcomes: readonly DeleteOutcome[]): Promise<void> {
    const failures: PathFailure[] = []
    const tally = new Map<Outcome, number>()
    for (const [index, path] of paths.entries()) {
      const outcome = outcomes[index] ?? {
        outcome: 'failed' as const,
        code: 'NoOutcome',
        message: 'The storage said nothing of this path.',
      }
      tally.set(outcome.outcome, (tally.get(outcome.outcome) ?? 0) + 1)
      if (outcome.outcome === 'blocked' || outcome.outcome === 'failed') {
        failures.push({ path, stage: this.#stage, ...outcome })
      }
    }
    for (const [outcome, count] of tally) this.#count(outcome, count)
    this.#failed += tally.get('failed') ?? 0
    this.#blocked += tally.get('blocked') ?? 0
    this.#example ??= failures[0]
    if (failures.length > 0) await this.#run.report(failures)
  }

  #count(outcome: Outcome, count: number): void {
    this.#run.progress({ [this.#stage]: { [outcome]: count } })
  }
}
