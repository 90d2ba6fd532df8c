import type { Logger } from 'pino'
import type { FileIO } from '../../../storage/file-io.ts'
import { systemClock } from '../../clock.ts'
import { isStorable } from '../../ledger/text.ts'
import type { KeepRule, PathFailure, PurgeRun, Tally } from '../../purger.ts'
import { addTallies, emptyTally } from '../../tally.ts'
import type { ReceiptCounts, ReceiptFailure } from './messages.ts'

/** JSON of the failures that a receipt names, in bytes: the ledger keeps receipts of 64 KiB. */
const maxNamed = 40_000
const maxMessage = 500

export interface TaskRunOptions {
  readonly signal: AbortSignal
  readonly generation: number
  readonly logger: Logger
  /** Asks the fence before every batch that it deletes. */
  readonly io: FileIO
  readonly keep: KeepRule
  readonly confirm: () => Promise<void>
  readonly deleteConcurrency: number
}

/** The run of one task: what it does is counted for its receipt, and not saved on the way. */
export class TaskRun implements PurgeRun {
  readonly signal: AbortSignal
  readonly epoch: number
  readonly attempt = 1
  readonly maxAttempts = 1
  readonly logger: Logger
  readonly clock = systemClock
  readonly io: FileIO
  readonly keep: KeepRule
  readonly confirm: () => Promise<void>
  readonly deleteConcurrency: number
  readonly checkpoint = undefined
  #tally: Tally = emptyTally
  readonly #failed = { blocked: 0, failed: 0 }
  readonly #named: ReceiptFailure[] = []
  #namedSize = 0

  constructor(options: TaskRunOptions) {
    this.signal = options.signal
    this.epoch = options.generation
    this.logger = options.logger
    this.io = options.io
    this.keep = options.keep
    this.confirm = options.confirm
    this.deleteConcurrency = options.deleteConcurrency
  }

  counts(): ReceiptCounts {
    const { deleted = 0, absent = 0, kept = 0 } = this.#tally.counts.data ?? {}
    return { deleted, absent, kept, ...this.#failed, left: 0 }
  }

  /** Bytes that were deleted. */
  bytes(): number {
    return this.#tally.bytes.data?.deleted ?? 0
  }

  /** As many of the failures as a receipt holds. */
  failures(): readonly ReceiptFailure[] {
    return this.#named
  }

  save(_checkpoint: unknown, done: { tally?: Tally; failures?: readonly PathFailure[] } = {}): boolean {
    this.#tally = addTallies(this.#tally, done.tally ?? emptyTally)
    for (const failure of done.failures ?? []) this.#note(failure)
    return true
  }

  /** The server has noted it before it published the task. */
  async begin(): Promise<void> {}

  expect(): void {}

  progress(): void {}

  async flush(): Promise<void> {}

  async reported(): Promise<readonly string[]> {
    return []
  }

  async messages(): Promise<readonly []> {
    return []
  }

  async enclosed(): Promise<readonly string[]> {
    return []
  }

  #note({ path, outcome, code, message }: PathFailure): void {
    this.#failed[outcome]++
    const named = { path, outcome, code, message: message.replaceAll('\0', '').slice(0, maxMessage) }
    const size = Buffer.byteLength(JSON.stringify(named))
    if (!isStorable(path) || this.#namedSize + size > maxNamed) return
    this.#namedSize += size
    this.#named.push(named)
  }
}
