/**
 * Hands the data stage of a purge over to the consumers of a topic: on as many machines as wanted, ours (`moulin worker
 * --kafka`) or anybody's. The server plans, publishes, keeps the receipts, and when all tasks are accounted for looks for
 * every file itself before it erases manifests, lists, statistics, metadata and root.
 */
import { crc32 } from 'node:zlib'
import type { ManifestFile } from '../../../iceberg/manifests/manifest-list.ts'
import { checkpointOf } from '../../checkpoint.ts'
import { eraseFiles } from '../../deletion/erase-files.ts'
import { finished, isDataErased } from '../../elsewhere/close-reach.ts'
import { StillThereError, verifyErased } from '../../elsewhere/erased-elsewhere.ts'
import { eraseReach } from '../../erase-reach.ts'
import { PurgeMessageError } from '../../ledger/messages.ts'
import {
  type IcebergPurger,
  type Inspection,
  type Purge,
  type PurgeMessage,
  type PurgeResult,
  type PurgeRun,
  type PurgerContext,
  RetryablePurgeError,
  ThrottledPurgeError,
} from '../../purger.ts'
import { readManifestLists } from '../../reach.ts'
import { readRoot } from '../../root.ts'
import { Publisher, Subscription } from './client.ts'
import { isRefused, kafkaReason } from './errors.ts'
import { InvalidMessageError, messageKey, parseReceipt, receiptKey, storableReceipt } from './messages.ts'
import { type KafkaOptions, kafkaOptions } from './options.ts'
import {
  heaviestFirst,
  isFurther,
  longerSilence,
  makePlan,
  nextGeneration,
  type Outcomes,
  type Plan,
  planOf,
  taskMessages,
} from './plan.ts'
import { accountOf, failureOf, namedFailures, progressOf, saidOf } from './receipts.ts'

/** Milliseconds, at least, before publishing is tried again after a broker was away. */
const brokerPause = 5_000

/** Factory of the purger `kafka`; see docs/guides/kafka.md. Nothing is contacted yet. */
export function kafkaPurger(options: Readonly<Record<string, unknown>>, context: PurgerContext): KafkaPurger {
  return new KafkaPurger(kafkaOptions(options), context)
}

export class KafkaPurger implements IcebergPurger {
  readonly name = 'kafka'
  readonly waits = false
  readonly #options: KafkaOptions
  readonly #publisher: Publisher
  readonly #receipts: Subscription | undefined

  constructor(options: KafkaOptions, context: PurgerContext) {
    const { results } = options.topics
    this.#options = options
    this.#publisher = new Publisher(options)
    if (!context.works) return
    this.#receipts = new Subscription(options, {
      topic: results,
      group: `${results}-servers`,
      logger: context.logger,
      handle: (body) => keepReceipt(body, context),
    })
  }

  async purge(purge: Purge, run: PurgeRun): Promise<PurgeResult> {
    if (purge.kind === 'view' || isDataErased(run)) return await eraseReach(purge, run)
    const reach = await readRoot(run.io, purge, run.signal)
    const manifests = reach.ownsData ? await readManifestLists(run.io, reach, run.signal) : []
    if (manifests.length === 0) return await eraseReach(purge, run)
    const plan = planOf(run.checkpoint) ?? makePlan(manifests, run.epoch, this.#options.taskEntries)
    run.expect(manifests.reduce((sum, { entryCount }) => sum + (entryCount ?? 0), 0))
    savePlan(run, plan)
    // Some may be done already, if this goes on after a crash or a hold.
    const { outstanding } = accountOf(plan, await receiptsOf(run, plan))
    await this.#publish(purge, run, plan, outstanding, manifests)
    return { kind: 'handed_off', reference: `kafka:${this.#options.topics.tasks}` }
  }

  async inspect(purge: Purge, _reference: string, run: PurgeRun): Promise<Inspection> {
    const plan = planOf(run.checkpoint)
    // Without one, an earlier attempt had come to the stages that are the server's.
    if (!plan) return await this.#finish(purge, run, undefined)
    const account = accountOf(plan, await receiptsOf(run, plan))
    const { outstanding, failed, counts, said } = account
    const known = { ...plan, left: plan.left || account.left }
    if (outstanding.length > 0) {
      const { published } = plan
      if (published === null || Date.now() - published > this.#options.taskTimeout) {
        await this.#publishAgain(purge, run, plan, outstanding)
      }
      return { state: 'running', counts }
    }
    // What older receipts have named is told no more.
    const resolved = await run.reported('data')
    if (failed.length === 0) {
      if (resolved.length > 0) run.save(run.checkpoint, { resolved })
      return await this.#finish(purge, run, known, said)
    }
    const progress = progressOf(failed)
    const isAhead = isFurther(progress, plan.best)
    const again = nextGeneration(
      { ...known, said, best: isAhead ? progress : plan.best },
      run.epoch,
      failed.map(({ task }) => task),
    )
    const checkpoint = { ...checkpointOf(run.checkpoint), kafka: again }
    const fruitful = isAhead && (counts.data?.deleted ?? 0) > 0
    const failures = namedFailures(failed)
    if (!run.save(checkpoint, { failures, resolved, fruitful })) run.save(checkpoint, { resolved, fruitful })
    throw failureOf(failed)
  }

  /** Consumers ask the ledger before every batch, which has told them already; what they leave is published again. */
  async cancel(): Promise<void> {}

  async close(): Promise<void> {
    await Promise.all([this.#receipts?.stop(), this.#publisher.close()])
  }

  /** What every consumer says is done is looked for; then what is the server's to erase goes. */
  async #finish(
    purge: Purge,
    run: PurgeRun,
    plan: Plan | undefined,
    said: Outcomes | null = null,
  ): Promise<Inspection> {
    const data = plan?.left ? eraseFiles : verifyErased(purge, plan && saidOf(plan, said))
    try {
      const result = await eraseReach(purge, run, { data })
      return finished(result)
    } catch (error) {
      if (plan && error instanceof StillThereError) {
        savePlan(run, nextGeneration({ ...plan, said: null }, run.epoch, [...plan.starts.keys()]))
      }
      throw error
    }
  }

  /**
   * Publishes what was not published yet, or had no receipt for too long. When that happens again and again and no receipt
   * comes, nobody does the tasks, or they kill who does: then it counts as an attempt in vain. Throws RetryablePurgeError.
   */
  async #publishAgain(
    purge: Purge,
    run: PurgeRun,
    plan: Plan,
    outstanding: readonly number[],
  ): Promise<void> {
    const reach = await readRoot(run.io, purge, run.signal)
    const manifests = await readManifestLists(run.io, reach, run.signal)
    const silence = longerSilence(plan, outstanding.length)
    await this.#publish(purge, run, { ...plan, silence }, outstanding, manifests)
    if (silence === null) return
    const { tasks, redeliveries } = silence
    const since = new Date(silence.since).toISOString()
    run.logger.warn({ generation: plan.generation, tasks, since, redeliveries }, 'tasks had no receipt')
    if (redeliveries < run.maxAttempts) return
    throw new RetryablePurgeError(
      `${tasks} tasks have had no receipt since ${since}, though they were published ${redeliveries} times again. Is \`moulin worker --kafka\` at work, and what do its logs say?`,
    )
  }

  /** The ledger has the plan before the first task leaves, and afterwards when they left. */
  async #publish(
    purge: Purge,
    run: PurgeRun,
    plan: Plan,
    tasks: readonly number[],
    manifests: readonly ManifestFile[],
  ): Promise<void> {
    const { topics, taskTimeout } = this.#options
    await run.flush()
    await run.begin()
    const keep = await run.enclosed()
    const published = Date.now()
    // One after the other, so that every worker gets its share; those of small purges do not all go to the first.
    let partition = crc32(purge.id)
    for (const task of taskMessages(purge, plan, manifests, {
      tasks: heaviestFirst(plan, manifests, tasks),
      keep,
      until: published + taskTimeout,
    })) {
      await run.confirm()
      try {
        const message = { key: messageKey(task), partition: partition++, body: task }
        await this.#publisher.publish(topics.tasks, message)
      } catch (error) {
        const text = `The task was not published: ${kafkaReason(error)}`
        if (isRefused(error)) throw new RetryablePurgeError(text, { cause: error })
        // The broker is away, for however long: no attempt at the purge is at fault.
        throw new ThrottledPurgeError(text, { cause: error, retryAfter: brokerPause })
      }
    }
    savePlan(run, { ...plan, published })
    run.logger.info({ generation: plan.generation, tasks: tasks.length }, 'tasks published')
  }
}

function savePlan(run: PurgeRun, plan: Plan): void {
  run.save({ ...checkpointOf(run.checkpoint), kafka: plan })
}

/** The receipts of the plan's generation. */
async function receiptsOf(run: PurgeRun, { generation }: Plan): Promise<readonly PurgeMessage[]> {
  return await run.messages(receiptKey(generation, ''))
}

/**
 * Keeps a receipt for the purge's next inspection, which is due at once. One of another generation, or of no task, is not kept;
 * what is no receipt can only be told.
 */
async function keepReceipt(body: Buffer, { deliver, logger }: PurgerContext): Promise<void> {
  try {
    const receipt = storableReceipt(parseReceipt(body))
    const { purge, generation, task } = receipt
    const message = { key: receiptKey(generation, task), body: receipt }
    const kept = await deliver(purge, [message], (checkpoint) => {
      const plan = planOf(checkpoint)
      return plan?.generation === generation && plan.tasks.includes(task)
    })
    if (!kept) logger.debug({ purge, generation, task }, 'receipt of a task that is not to be done any more')
  } catch (error) {
    if (!(error instanceof InvalidMessageError || error instanceof PurgeMessageError)) throw error
    logger.error({ err: error }, 'message on the results topic passed over')
  }
}
