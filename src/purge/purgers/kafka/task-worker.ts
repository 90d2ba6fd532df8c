/** Does tasks: the same deletion as on the server, under a fence, with a receipt at the end. */
import type { Logger } from 'pino'
import type { Database } from '../../../database/database.ts'
import type { FileIO } from '../../../storage/file-io.ts'
import { forwardFileIO } from '../../../storage/forward.ts'
import { isOutage } from '../../attempt.ts'
import { checkpointOf } from '../../checkpoint.ts'
import { eraseFiles } from '../../deletion/erase-files.ts'
import { keepOthers } from '../../keep-others.ts'
import { BlockedPurgeError, PermanentPurgeError, type Purge, RetryablePurgeError } from '../../purger.ts'
import { scanManifests } from '../../scan.ts'
import {
  InvalidMessageError,
  messageKey,
  parseTask,
  type Receipt,
  storableReceipt,
  type Task,
  version,
} from './messages.ts'
import { StaleTaskError, TaskFence } from './task-fence.ts'
import { TaskRun } from './task-run.ts'

/** Receipts that are remembered, for tasks that come twice. */
const maxRemembered = 1_000

/** What a warehouse brings to its tasks. */
export interface TaskWarehouse {
  readonly io: FileIO
  /** Makes deletions wait for their turn; what comes after the wait asks the fence. */
  readonly pace: (io: FileIO) => FileIO
  readonly deleteConcurrency: number
}

export interface TaskWorkerOptions {
  readonly database: Database
  readonly logger: Logger
  /** Name of this consumer in receipts: `host:pid`. */
  readonly consumer: string
  readonly warehouses: ReadonlyMap<string, TaskWarehouse>
  /** Resolves when the receipt is acknowledged. */
  readonly answer: (key: string, receipt: Receipt) => Promise<void>
}

export class TaskWorker {
  readonly #options: TaskWorkerOptions
  readonly #receipts = new Map<string, Receipt>()

  constructor(options: TaskWorkerOptions) {
    this.#options = options
  }

  /**
   * Does one task and answers it; resolves when the answer is acknowledged, or when the task is not to be done any more.
   * Throws when the task has to come again: the database is not there, the answer was not taken, the signal aborted.
   */
  async handle(body: Buffer, signal: AbortSignal): Promise<void> {
    const { logger } = this.#options
    try {
      const task = parseTask(body)
      const receipt = this.#receipts.get(messageKey(task)) ?? (await this.#receiptOf(task, signal))
      if (!receipt) return
      await this.#options.answer(messageKey(task), receipt)
      this.#remember(receipt)
    } catch (error) {
      if (error instanceof StaleTaskError) logger.info(error.message)
      else if (error instanceof InvalidMessageError)
        logger.error({ err: error }, 'message on the tasks topic passed over')
      else throw error
    }
  }

  /** Undefined when somebody else has given it, or has to. */
  async #receiptOf(task: Task, signal: AbortSignal): Promise<Receipt | undefined> {
    const { database, logger } = this.#options
    const fence = new TaskFence(database, task)
    const purge = await fence.purge()
    if (await fence.isDone()) return undefined
    const { purge: id, generation } = task
    const log = logger.child({ purge: id, generation, task: task.task })
    const warehouse = this.#options.warehouses.get(purge.warehouse)
    if (!warehouse) {
      // One that is about to be replaced, perhaps: the task comes again, to one that has it.
      log.error(
        { warehouse: purge.warehouse },
        'task left to others: this worker has no such warehouse with the purger kafka',
      )
      return undefined
    }
    await warehouse.io.renewCredentials?.()
    const run = this.#runFor(task, purge, warehouse, fence, signal, log)
    try {
      const manifests = task.manifests.map(({ path, length, entries }) => ({
        path,
        length: length ?? undefined,
        content: 'data' as const,
        entryCount: entries ?? undefined,
        encrypted: false,
      }))
      await eraseFiles(run, 'data', scanManifests(run.io, manifests, checkpointOf(undefined), signal))
      log.info({ counts: run.counts() }, 'task done')
      return this.#receipt(task, run, null)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof StaleTaskError || isOutage(error)) throw error
      log.warn({ err: error }, 'task not done')
      return this.#receipt(task, run, isOfPaths(error) ? null : receiptError(error))
    }
  }

  #runFor(
    task: Task,
    purge: Purge,
    { io, pace, deleteConcurrency }: TaskWarehouse,
    fence: TaskFence,
    signal: AbortSignal,
    logger: Logger,
  ): TaskRun {
    const confirm = async () => {
      signal.throwIfAborted()
      await fence.confirm()
    }
    const fenced = forwardFileIO(io, {
      deleteFiles: async (locations, options) => {
        await confirm()
        return await io.deleteFiles(locations, options)
      },
    })
    return new TaskRun({
      signal,
      generation: task.generation,
      logger,
      io: pace(fenced),
      keep: keepOthers(this.#options.database.reader, purge),
      confirm,
      deleteConcurrency,
    })
  }

  #receipt({ purge, generation, task }: Task, run: TaskRun, error: Receipt['error']): Receipt {
    return storableReceipt({
      version,
      purge,
      generation,
      task,
      consumer: this.#options.consumer,
      counts: run.counts(),
      bytes: run.bytes(),
      failures: run.failures(),
      error,
    })
  }

  #remember(receipt: Receipt): void {
    this.#receipts.set(messageKey(receipt), receipt)
    if (this.#receipts.size > maxRemembered) this.#receipts.delete(this.#receipts.keys().next().value!)
  }
}

/** What eraseFiles throws at its end: counts and failures say it already. */
function isOfPaths(error: unknown): boolean {
  return error instanceof BlockedPurgeError || error instanceof RetryablePurgeError
}

function receiptError(error: unknown): Receipt['error'] {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  const permanent = error instanceof PermanentPurgeError
  return { code: name, message: message.replaceAll('\0', '').slice(0, 2_000), permanent }
}
