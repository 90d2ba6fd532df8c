/** What a service says: that it took a purge, and how far it is. Throws BadRequestException for what breaks the contract. */
import { badRequest } from '../../../iceberg/errors.ts'
import type { JsonValue } from '../../../iceberg/json/exact-json.ts'
import { Fields } from '../../../iceberg/json/fields.ts'
import { type OutcomeCounts, outcomes, type PathFailure } from '../../purger.ts'

/** Characters of a reference. */
const maxReference = 500
/** Characters of a message that are kept. */
const maxMessage = 1_000

/** The answer to `purge.requested`: `schema/webhook/accepted.v1.schema.json`. */
export interface Accepted {
  /** The service's own name of the work. */
  readonly reference: string
  /** Where it tells how far it is. */
  readonly statusUrl: string | undefined
}

/** How far a service is: `schema/webhook/status.v1.schema.json`. */
export type Status =
  | { readonly state: 'running'; readonly counts: OutcomeCounts | undefined }
  | { readonly state: 'finished' }
  | {
      readonly state: 'failed'
      readonly message: string
      readonly failures: readonly PathFailure[]
    }

/** What a call-back is about, besides the status. */
export interface Callback {
  readonly id: string
  readonly generation: number
  readonly status: Status
}

/** @param url of the service: `statusUrl` may be relative to it, and must have its origin, or the service could send this server anywhere. */
export function parseAccepted(body: JsonValue, url: URL): Accepted {
  const fields = new Fields(body, 'answer of the service')
  const reference = fields.string('reference')
  if (reference.length === 0 || reference.length > maxReference || /\p{Cc}/u.test(reference)) {
    throw badRequest(
      `Invalid answer of the service: reference must have 1 to ${maxReference} characters, and no control characters`,
    )
  }
  const statusUrl = fields.optionalString('statusUrl')
  if (statusUrl === undefined) return { reference, statusUrl }
  const resolved = URL.canParse(statusUrl, url.href) ? new URL(statusUrl, url.href) : undefined
  if (resolved?.origin !== url.origin || resolved.username !== '' || resolved.password !== '') {
    throw badRequest(`Invalid answer of the service: statusUrl must begin with ${url.origin}/`)
  }
  return { reference, statusUrl: resolved.href }
}

export function parseStatus(body: JsonValue): Status {
  const fields = new Fields(body, 'status')
  const state = fields.string('state')
  switch (state) {
    case 'running':
      return { state, counts: fields.has('counts') ? parseCounts(fields.object('counts')) : undefined }
    case 'finished':
      return { state }
    case 'failed':
      return {
        state,
        message: cut(fields.optionalString('message') ?? 'The service gave no message.'),
        failures: fields.optionalList('failures', parseFailure) ?? [],
      }
    default:
      throw badRequest('Invalid status: state must be "running", "finished" or "failed"')
  }
}

export function parseCallback(body: JsonValue): Callback {
  const fields = new Fields(body, 'call-back')
  const status = parseStatus(body)
  if (status.state === 'running') {
    throw badRequest('Invalid call-back: state must be "finished" or "failed"; statusUrl is for progress')
  }
  return { id: fields.string('id'), generation: fields.int('generation'), status }
}

/** Cuts what a service says to what is worth being kept. */
export function cut(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, maxMessage)
}

/** Files of the data stage, by outcome. */
function parseCounts(value: JsonValue): OutcomeCounts {
  const fields = new Fields(value, 'counts')
  const data: Partial<Record<(typeof outcomes)[number], number>> = {}
  for (const outcome of outcomes) {
    const count = fields.optionalLong(outcome)
    if (count === undefined) continue
    if (count < 0n || count > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw badRequest(`Invalid counts: ${outcome} must be a number of files`)
    }
    data[outcome] = Number(count)
  }
  return { data }
}

function parseFailure(value: JsonValue, what: string): PathFailure {
  const fields = new Fields(value, what)
  const outcome = fields.optionalString('outcome') ?? 'failed'
  if (outcome !== 'failed' && outcome !== 'blocked') {
    throw badRequest(`Invalid ${what}: outcome must be "failed" or "blocked"`)
  }
  return {
    path: fields.string('path'),
    stage: 'data',
    outcome,
    code: fields.optionalString('code') ?? 'Service',
    message: cut(fields.optionalString('message') ?? ''),
  }
}
