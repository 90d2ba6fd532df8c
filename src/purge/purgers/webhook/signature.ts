/**
 * Signatures in the scheme of Standard Webhooks 1.0 (standardwebhooks.com), symmetric: HMAC-SHA256 of `id.timestamp.body`,
 * sent as `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature` (`v1,BASE64`, one for each secret, separated by
 * spaces). Libraries for it exist in most languages.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** Seconds that a timestamp may be away from now. */
export const tolerance = 300

/** The three headers of a signed message. */
export type SignatureHeaders = Readonly<
  Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>
>

/** The key of a secret as it is written, `whsec_` and base64; undefined unless it has 24 to 64 bytes. */
export function parseSecret(text: string): Buffer | undefined {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  if (encoded === undefined) return undefined
  const key = Buffer.from(encoded, 'base64')
  const isExact = key.toString('base64') === encoded
  return isExact && key.length >= 24 && key.length <= 64 ? key : undefined
}

/**
 * Signs with every secret, so that a receiver that has the old one or the new one accepts it.
 *
 * @param id without a full stop.
 * @param now milliseconds since the epoch.
 */
export function sign(
  secrets: readonly Buffer[],
  id: string,
  now: number,
  body: Uint8Array,
): SignatureHeaders {
  const timestamp = String(Math.floor(now / 1_000))
  const signatures = secrets.map((secret) => `v1,${digest(secret, id, timestamp, body).toString('base64')}`)
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}

/**
 * Why a message is not authentic; undefined when one of its signatures is that of one of the secrets and its time is
 * within five minutes of now.
 *
 * @param headers with names in lower case.
 * @param now milliseconds since the epoch.
 */
export function whatIsForged(
  secrets: readonly Buffer[],
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  now: number,
  body: Uint8Array,
): string | undefined {
  const id = headers['webhook-id']
  const timestamp = headers['webhook-timestamp']
  const signature = headers['webhook-signature']
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string') {
    return 'the headers webhook-id, webhook-timestamp and webhook-signature are not all there, once each'
  }
  if (!/^[^.]{1,200}$/.test(id)) return 'webhook-id must have 1 to 200 characters and no full stop'
  if (!/^\d{1,15}$/.test(timestamp)) return 'webhook-timestamp must be seconds since the epoch'
  const given = signature
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .map((each) => Buffer.from(each.slice(3), 'base64'))
  const expected = secrets.map((secret) => digest(secret, id, timestamp, body))
  if (!given.some((each) => expected.some((right) => isEqual(each, right)))) {
    return 'no signature in webhook-signature is right'
  }
  if (Math.abs(now / 1_000 - Number(timestamp)) > tolerance) {
    return `webhook-timestamp is more than ${tolerance} seconds away from this server's time`
  }
  return undefined
}

function digest(secret: Buffer, id: string, timestamp: string, body: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest()
}

function isEqual(given: Buffer, right: Buffer): boolean {
  return given.length === right.length && timingSafeEqual(given, right)
}
