/**
 * Hands the data files of a purge over to a service of the operator's, by a signed POST. The service says when it is done, to
 * whoever asks at its `statusUrl` or by a call-back; it is not believed: every file is looked for, and only then are their
 * parents erased here, the root last. See docs/guides/webhook.md.
 */
import { badRequest } from '../../../iceberg/errors.ts'
import { type JsonValue, parseJson } from '../../../iceberg/json/exact-json.ts'
import { checkpointOf } from '../../checkpoint.ts'
import { closeReach, finished, isDataErased, stillThere } from '../../elsewhere/close-reach.ts'
import { StillThereError } from '../../elsewhere/erased-elsewhere.ts'
import {
  BlockedPurgeError,
  type IcebergPurger,
  type IcebergPurgerFactory,
  type Inspection,
  type PathFailure,
  PermanentPurgeError,
  type Purge,
  type PurgeCallback,
  type PurgeMessage,
  type PurgeResult,
  type PurgeRun,
  RetryablePurgeError,
  ThrottledPurgeError,
  UnauthenticMessageError,
} from '../../purger.ts'
import { parseAccepted, parseCallback, parseStatus, type Status } from './answers.ts'
import { WebhookClient } from './client.ts'
import { type WebhookOptions, webhookOptions } from './options.ts'
import { cancelDocument, messageId, requestDocument, type Work, workOf } from './purge-document.ts'
import { whatIsForged } from './signature.ts'

/** Kept in the checkpoint: what the service has been told. */
interface Sent {
  /** Of the purge, at the service: grows when what it was told before has come to nothing. */
  readonly generation: number
  /** Milliseconds since the epoch, once the service has taken it. */
  readonly takenAt?: number
  /** What the service calls it. */
  readonly reference?: string
  readonly statusUrl?: string | undefined
}

/** A call-back, as it waits in the ledger. */
interface Told {
  readonly generation: number
  readonly status: Status
}

export class WebhookPurger implements IcebergPurger {
  readonly name = 'webhook'
  readonly waits = false
  readonly #options: WebhookOptions
  readonly #client: WebhookClient
  readonly #now: () => number

  /** @param now milliseconds since the epoch, for signatures and the deadline. */
  constructor(options: WebhookOptions, now: () => number = Date.now) {
    this.#options = options
    this.#client = new WebhookClient(options, now)
    this.#now = now
  }

  /** What has no data files to be erased (a view, `gc.enabled=false`) is not handed over. */
  async purge(purge: Purge, run: PurgeRun): Promise<PurgeResult> {
    if (isDataErased(run)) return await closeReach(purge, run)
    const work = await workOf(purge, run)
    if (work.files === 0) return await closeReach(purge, run)
    run.expect(work.files)
    const { generation } = sentOf(run)
    // That this has begun, and what is sent, is in the ledger first: a crash or a hold after it finds what was sent.
    run.save(withSent(run, { generation }))
    await run.flush()
    await run.begin(`webhook:${generation}`)
    return await this.#tell(purge, run, work)
  }

  /** Under the same name until an answer is in the ledger. */
  async #tell(
    purge: Purge,
    run: PurgeRun,
    work: Work,
  ): Promise<Extract<PurgeResult, { kind: 'handed_off' }>> {
    const { generation } = sentOf(run)
    await run.confirm()
    const delivery = { purge, generation }
    const document = requestDocument(delivery, work, this.#callbackUrl(purge))
    const answer = await this.#client.post(messageId(delivery, 'requested'), document, run.signal)
    const { reference, statusUrl } = parseAccepted(answer, this.#options.url)
    if (statusUrl === undefined && this.#options.publicUrl === undefined) {
      throw new PermanentPurgeError(
        'The service gave no statusUrl, and without the option publicUrl it cannot call back: nobody would learn that it is done.',
      )
    }
    run.save(withSent(run, { generation, takenAt: this.#now(), reference, statusUrl }))
    return { kind: 'handed_off', reference }
  }

  async inspect(purge: Purge, _reference: string, run: PurgeRun): Promise<Inspection> {
    if (isDataErased(run)) return finished(await closeReach(purge, run))
    const sent = sentOf(run)
    // It may have been told; whether it has heard is not known.
    if (sent.takenAt === undefined) {
      const { reference } = await this.#tell(purge, run, await workOf(purge, run))
      return { state: 'running', reference }
    }
    const status = await this.#status(purge, run, sent)
    switch (status.state) {
      case 'running':
        return this.#isLate(sent) ? await tellAgain(run, this.#lateness(), []) : running(status.counts)
      case 'failed': {
        const inspection = await tellAgain(run, `The service failed: ${status.message}`, status.failures)
        if (isBlocked(status.failures)) throw new BlockedPurgeError(inspection.message)
        return inspection
      }
      case 'finished':
        try {
          return finished(await closeReach(purge, run))
        } catch (error) {
          if (!(error instanceof StillThereError)) throw error
          return await tellAgain(
            run,
            `The service said that it is done. ${error.message}`,
            stillThere(error, 'The service said that it is erased.'),
          )
        }
    }
  }

  async cancel(purge: Purge, _reference: string, run: PurgeRun): Promise<void> {
    const { generation, reference } = sentOf(run)
    const delivery = { purge, generation }
    const document = cancelDocument(delivery, reference)
    await this.#client.tell(messageId(delivery, 'cancel'), document, run.signal)
    run.save(withSent(run, { generation: generation + 1 }))
  }

  async receive({ purgeId, headers, body }: PurgeCallback): Promise<PurgeMessage> {
    const forged = whatIsForged(this.#options.secrets, headers, this.#now(), body)
    if (forged !== undefined) throw new UnauthenticMessageError(`The call-back is refused: ${forged}`)
    const { id, generation, status } = parseCallback(parseJson(body))
    if (id !== purgeId) throw badRequest('Invalid call-back: id must be that of the purge in the URL')
    // However often it is told, there is one message of a kind.
    return { key: `${generation}-${status.state}`, body: { generation, status } satisfies Told }
  }

  /** The end that was called back, if there was one, or else what the service answers. */
  async #status(purge: Purge, run: PurgeRun, sent: Sent): Promise<Status> {
    const told = (await run.messages()).map(({ body }) => body as Told)
    const ends = told.filter(({ generation }) => generation === sent.generation).map(({ status }) => status)
    const end = ends.find(({ state }) => state === 'finished') ?? ends[0]
    if (end) return end
    if (sent.statusUrl === undefined) return { state: 'running', counts: undefined }
    const id = messageId({ purge, generation: sent.generation }, 'status')
    let answer: JsonValue | undefined
    try {
      answer = await this.#client.get(new URL(sent.statusUrl), id, run.signal)
    } catch (error) {
      // That it cannot be asked is no failure of the work: it has its deadline.
      if (!(error instanceof RetryablePurgeError) || this.#isLate(sent)) throw error
      const retryAfter = error instanceof ThrottledPurgeError ? error.retryAfter : undefined
      throw new ThrottledPurgeError(error.message, { retryAfter, cause: error })
    }
    if (answer !== undefined) return parseStatus(answer)
    return { state: 'failed', message: 'It does not know the purge any more.', failures: [] }
  }

  #isLate({ takenAt }: Sent): boolean {
    return takenAt !== undefined && this.#now() - takenAt > this.#options.deadline
  }

  #lateness(): string {
    return `The service was not done within ${this.#options.deadline / 3_600_000} hours.`
  }

  #callbackUrl({ id }: Purge): string | undefined {
    const { publicUrl } = this.#options
    return publicUrl && `${publicUrl}/management/v1/purges/${id}/callback`
  }
}

/** Makes it from `purge.options`: see docs/guides/webhook.md. Throws an Error that names the option. */
export const createWebhookPurger: IcebergPurgerFactory = (options) =>
  new WebhookPurger(webhookOptions(options))

function running(counts: Extract<Status, { state: 'running' }>['counts']): Inspection {
  return { state: 'running', ...(counts && { counts }) }
}

/** Names the files that are left, and has the next attempt begin a new generation. */
async function tellAgain(
  run: PurgeRun,
  message: string,
  failures: readonly PathFailure[],
): Promise<Extract<Inspection, { state: 'failed' }>> {
  const checkpoint = withSent(run, { generation: sentOf(run).generation + 1 })
  const resolved = await run.reported('data')
  if (!run.save(checkpoint, { failures, resolved })) run.save(checkpoint)
  return { state: 'failed', message }
}

/** Whether all that is left is what the store forbids to erase. */
function isBlocked(failures: readonly PathFailure[]): boolean {
  return failures.length > 0 && failures.every(({ outcome }) => outcome === 'blocked')
}

function sentOf({ checkpoint }: PurgeRun): Sent {
  return (checkpoint as { webhook?: Sent } | null | undefined)?.webhook ?? { generation: 1 }
}

function withSent({ checkpoint }: PurgeRun, webhook: Sent): object {
  return { ...checkpointOf(checkpoint), webhook }
}
