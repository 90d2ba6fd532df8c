/** Signed requests to the service, bounded in time and size. Redirects are not followed. */
import { type JsonValue, parseJson, printJson } from '../../../iceberg/json/exact-json.ts'
import { PermanentPurgeError, RetryablePurgeError, ThrottledPurgeError } from '../../purger.ts'
import { cut } from './answers.ts'
import type { WebhookOptions } from './options.ts'
import { sign } from './signature.ts'

/** Bytes of an answer. */
const maxAnswer = 64 * 1024
/** Milliseconds of a Retry-After that are believed. */
const maxRetryAfter = 3_600_000

/** An answer that is neither a redirect nor an error that may pass. */
interface ServiceAnswer {
  readonly status: number
  readonly text: string
}

export class WebhookClient {
  readonly #options: WebhookOptions
  readonly #now: () => number

  /** @param now milliseconds since the epoch. */
  constructor(options: WebhookOptions, now: () => number) {
    this.#options = options
    this.#now = now
  }

  /**
   * POSTs a document, signed; gives the answer's JSON. Throws PermanentPurgeError for a 4xx, and as {@link get} does.
   *
   * @param id names the message: the same for every repetition.
   */
  async post(id: string, document: object, signal: AbortSignal): Promise<JsonValue> {
    const { url } = this.#options
    const answer = await this.#post(id, document, signal)
    if (answer.status >= 400) throw refused(url, answer)
    return answerJson(url, answer)
  }

  /**
   * {@link post}s what needs no answer, about something that the service may have forgotten: only the status counts, and 404
   * and 410 are as good as any.
   */
  async tell(id: string, document: object, signal: AbortSignal): Promise<void> {
    const answer = await this.#post(id, document, signal)
    if (answer.status >= 400 && !isUnknown(answer)) throw refused(this.#options.url, answer)
  }

  /**
   * GETs a document, signed, with an empty body. Undefined when the service does not know it (404, 410). Throws
   * RetryablePurgeError for what may pass (no answer in time, 5xx, an answer too large or no JSON), ThrottledPurgeError
   * where the service asks for patience, PermanentPurgeError for a redirect and any other 4xx, the signal's reason.
   */
  async get(url: URL, id: string, signal: AbortSignal): Promise<JsonValue | undefined> {
    const answer = await this.#request(url, id, signal)
    if (isUnknown(answer)) return undefined
    if (answer.status >= 400) throw refused(url, answer)
    return answerJson(url, answer)
  }

  async #post(id: string, document: object, signal: AbortSignal): Promise<ServiceAnswer> {
    return await this.#request(this.#options.url, id, signal, Buffer.from(printJson(document)))
  }

  async #request(url: URL, id: string, signal: AbortSignal, body?: Buffer): Promise<ServiceAnswer> {
    signal.throwIfAborted()
    const { secrets, timeout } = this.#options
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeout)])
    try {
      const response = await fetch(url, {
        method: body ? 'POST' : 'GET',
        redirect: 'manual',
        signal: bounded,
        headers: {
          ...sign(secrets, id, this.#now(), body ?? Buffer.of()),
          accept: 'application/json',
          'user-agent': 'moulin',
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: new Uint8Array(body) }),
      })
      const { status } = response
      const text = await readBounded(response)
      if (status >= 300 && status < 400) {
        throw new PermanentPurgeError(
          `${nameOf(url)} answered with a redirect (${status}), and none is followed: configure the final URL.`,
        )
      }
      if (mayPass(status)) throw this.#patience(url, response, text)
      return { status, text }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof RetryablePurgeError || error instanceof PermanentPurgeError) throw error
      throw new RetryablePurgeError(`${nameOf(url)} gave no answer: ${reasonOf(error, timeout)}`, {
        cause: error,
      })
    }
  }

  #patience(url: URL, { status, headers }: Response, text: string): RetryablePurgeError {
    const message = `${nameOf(url)} answered ${status}: ${messageOf(text)}`
    const retryAfter = parseRetryAfter(headers.get('retry-after'), this.#now())
    if (status !== 429 && (status !== 503 || retryAfter === undefined))
      return new RetryablePurgeError(message)
    return new ThrottledPurgeError(message, { retryAfter })
  }
}

/** 408 and 425 are of the moment, too. */
function mayPass(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429
}

/** The service does not know what it is asked about, or not any more. */
function isUnknown({ status }: ServiceAnswer): boolean {
  return status === 404 || status === 410
}

function refused(url: URL, { status, text }: ServiceAnswer): PermanentPurgeError {
  return new PermanentPurgeError(`${nameOf(url)} refused with ${status}: ${messageOf(text)}`)
}

function answerJson(url: URL, { text }: ServiceAnswer): JsonValue {
  try {
    return parseJson(text)
  } catch (error) {
    throw new RetryablePurgeError(`${nameOf(url)} did not answer with JSON`, { cause: error })
  }
}

/** Without its query, which may hold a token. */
function nameOf({ origin, pathname }: URL): string {
  return `The service ${origin}${pathname}`
}

async function readBounded({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    // Leaving the loop gives the connection up.
    if (size > maxAnswer)
      throw new RetryablePurgeError(`The service's answer has more than ${maxAnswer} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function messageOf(text: string): string {
  return cut(text) || 'no message'
}

/** `fetch` itself says only that it failed; its cause says why. */
function reasonOf(error: unknown, timeout: number): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `none within ${timeout / 1_000} s`
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException
  return code ?? message
}

/** Milliseconds of a `Retry-After`, in seconds or as a date. */
function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  const wait = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), maxRetryAfter)
}
