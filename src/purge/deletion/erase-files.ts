/**
 * The one way in which files are deleted, whatever the purger: paths come in, in an order that another attempt would
 * repeat; they are asked of the keep rule, deleted in batches of which several are in flight, counted by outcome, and
 * named when they could not be erased. What is done is saved as far as everything before it is done, too, so that an
 * attempt that is cut off repeats a second of work.
 */
import {
  BlockedPurgeError,
  type PathFailure,
  type PurgeRun,
  RetryablePurgeError,
  type Stage,
  ThrottledPurgeError,
} from '../purger.ts'
import { Batch, type DoomedFile } from './batch.ts'
import { InOrder } from './in-order.ts'
import { isThrottlingCode } from './throttling.ts'

/** Files in a row, and what to save when they and all before them are done. */
export interface Portion {
  readonly files: readonly DoomedFile[]
  /** Gives the checkpoint after the first `count` of these files. */
  checkpoint(count: number): unknown
}

export interface EraseOptions {
  /** Keeps every path of the stage, under this name. */
  readonly rule?: string | undefined
  /** Files of the stage, as far as is known beforehand. */
  readonly expected?: number | undefined
}

/**
 * Erases the files of one stage. Throws RetryablePurgeError (or ThrottledPurgeError, when the store asked for patience)
 * when files failed, BlockedPurgeError when the store forbids to delete some: their parents must stay, or nobody could
 * find them again.
 */
export async function eraseFiles(
  run: PurgeRun,
  stage: Stage,
  portions: AsyncIterable<Portion> | Iterable<Portion>,
  options: EraseOptions = {},
): Promise<void> {
  const eraser = new StageEraser(run, stage, options.rule)
  await eraser.repeatFailures()
  await eraser.erase(portions)
  eraser.answer()
}

/**
 * Batches that may be done while one before them is not, for each that may be in flight: they wait with all their paths to be
 * saved in order, and an attempt that is cut off then repeats them.
 */
const aheadPerBatch = 4

class StageEraser {
  readonly #run: PurgeRun
  readonly #stage: Stage
  readonly #rule: string | undefined
  readonly #saved = new InOrder()
  readonly #failed = { failed: 0, blocked: 0, throttled: 0 }
  #example: PathFailure | undefined
  /** Not all failures could be named: nothing from there on may be saved. */
  #unnamed = false

  constructor(run: PurgeRun, stage: Stage, rule: string | undefined) {
    this.#run = run
    this.#stage = stage
    this.#rule = rule
  }

  /** May change while the run goes on. */
  get #batchSize(): number {
    return this.#run.io.capabilities.deleteBatchSize
  }

  /**
   * What earlier attempts could not erase here lies before the checkpoint: only its names tell of it. What is listed comes
   * again with its listing; its names are of the listing before.
   */
  async repeatFailures(): Promise<void> {
    const paths = await this.#run.reported(this.#stage, 'own')
    if (paths.length > 0 && (this.#stage === 'sweep' || this.#stage === 'versions')) {
      this.#run.save(this.#run.checkpoint, { resolved: paths })
      return
    }
    let at = 0
    while (at < paths.length) {
      const batch = new Batch(this.#stage)
      for (const path of paths.slice(at, at + this.#batchSize)) batch.add({ path, size: undefined })
      const resolved = batch.paths
      at += resolved.length
      const failures = await this.#delete(batch)
      const done = { tally: batch.tally(), failures, own: true, resolved }
      this.#run.save(this.#run.checkpoint, done)
    }
  }

  async erase(portions: AsyncIterable<Portion> | Iterable<Portion>): Promise<void> {
    const inFlight = new Set<Promise<void>>()
    const errors: unknown[] = []
    const start = async (batch: Batch, checkpoint: unknown) => {
      while (this.#isBusy(inFlight.size)) await Promise.race(inFlight)
      if (errors.length > 0) return
      const done: Promise<void> = this.#finish(batch, checkpoint)
        .catch((error: unknown) => void errors.push(error))
        .finally(() => inFlight.delete(done))
      inFlight.add(done)
    }
    try {
      let batch = new Batch(this.#stage)
      let last: Portion | undefined
      for await (const portion of portions) {
        let taken = 0
        for (const file of portion.files) {
          batch.add(file)
          taken++
          if (batch.size < this.#batchSize) continue
          await start(batch, portion.checkpoint(taken))
          batch = new Batch(this.#stage)
          if (errors.length > 0) break
        }
        last = portion
        if (errors.length > 0) break
      }
      if (last) await start(batch, last.checkpoint(last.files.length))
    } finally {
      // Nothing goes on behind an error.
      await Promise.all(inFlight)
    }
    if (errors.length > 0) throw errors[0]
  }

  #isBusy(inFlight: number): boolean {
    const { deleteConcurrency } = this.#run
    return (
      inFlight >= deleteConcurrency ||
      (inFlight > 0 && this.#saved.waiting >= aheadPerBatch * deleteConcurrency)
    )
  }

  /** Throws when the stage is not wholly erased. */
  answer(): void {
    const { failed, blocked, throttled } = this.#failed
    const problems = [
      failed > 0 ? `${failed} could not be deleted` : '',
      blocked > 0 ? `${blocked} must not be deleted (blocked by the store)` : '',
    ].filter((problem) => problem !== '')
    if (problems.length === 0) return
    const { path, code, message } = this.#example!
    const text = `Of the ${this.#stage} files ${problems.join(' and ')}, among them ${path}: ${code}: ${message}`
    if (failed === 0) throw new BlockedPurgeError(text)
    throw throttled === failed ? new ThrottledPurgeError(text) : new RetryablePurgeError(text)
  }

  async #finish(batch: Batch, checkpoint: unknown): Promise<void> {
    const save = this.#saved.next()
    const failures = await this.#delete(batch)
    save(() => {
      if (this.#unnamed) return
      if (this.#run.save(checkpoint, { tally: batch.tally(), failures, own: true })) return
      this.#unnamed = true
    })
    // Only another look at the stage finds those that have no name: it is of no use to go on without end.
    if (this.#unnamed) this.answer()
  }

  async #delete(batch: Batch): Promise<PathFailure[]> {
    const run = this.#run
    run.signal.throwIfAborted()
    batch.keep(
      this.#rule === undefined ? await run.keep(batch.paths) : new Array<string>(batch.size).fill(this.#rule),
    )
    let failures: PathFailure[] = []
    if (batch.size > 0) {
      const { paths, versions } = batch
      const options = { signal: run.signal, ...(versions && { versions }) }
      failures = batch.account(await run.io.deleteFiles(paths, options))
    }
    run.progress(batch.counts())
    this.#note(failures)
    return failures
  }

  #note(failures: readonly PathFailure[]): void {
    for (const { outcome, code } of failures) {
      this.#failed[outcome]++
      if (outcome === 'failed' && isThrottlingCode(code)) this.#failed.throttled++
    }
    this.#example ??= failures[0]
  }
}
