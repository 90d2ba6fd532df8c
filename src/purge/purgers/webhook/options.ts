/** What stands under `purge.options` for the purger `webhook`. Errors name the option, never its value: it may be a secret. */
import { parseSecret } from './signature.ts'

export interface WebhookOptions {
  /** Where purges are POSTed to. */
  readonly url: URL
  /** Keys, the current one first. All of them sign, and each is accepted. */
  readonly secrets: readonly Buffer[]
  /** Under which the service reaches this server, without a slash at its end; undefined: no call-backs. */
  readonly publicUrl: string | undefined
  /** Milliseconds for a request and its answer. */
  readonly timeout: number
  /** Milliseconds after which the service is told of an unfinished purge again. */
  readonly deadline: number
}

const known = ['url', 'secrets', 'publicUrl', 'allowHttp', 'timeoutSeconds', 'deadlineHours']

/**
 * Checks the options and fills in the defaults: `timeoutSeconds` 10, `deadlineHours` 24, `allowHttp` false, no
 * `publicUrl`. Throws an Error whose message names the option and the remedy.
 */
export function webhookOptions(options: Readonly<Record<string, unknown>>): WebhookOptions {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new Error(`there is no option ${JSON.stringify(unknown)}; known are ${known.join(', ')}`)
  }
  const { allowHttp = false, publicUrl } = options
  if (typeof allowHttp !== 'boolean') throw new Error('allowHttp must be true or false')
  const url = parseUrl('url', options.url, allowHttp)
  const reached = publicUrl === undefined ? undefined : parseUrl('publicUrl', publicUrl, allowHttp)
  if (reached?.search) throw new Error('publicUrl must have no query')
  return {
    url,
    secrets: parseSecrets(options.secrets),
    publicUrl: reached?.href.replace(/\/+$/, ''),
    timeout: parseNumber(options, 'timeoutSeconds', 10, 60) * 1_000,
    deadline: parseNumber(options, 'deadlineHours', 24, 8_760) * 3_600_000,
  }
}

function parseUrl(name: string, value: unknown, allowHttp: boolean): URL {
  if (typeof value !== 'string' || !URL.canParse(value)) throw new Error(`${name} must be a URL`)
  const url = new URL(value)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new Error(`${name} must begin with https://`)
  }
  if (url.protocol === 'http:' && !allowHttp && !isLoopback(url.hostname)) {
    throw new Error(
      `${name} must begin with https://: set allowHttp: true if the network between protects what is sent`,
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new Error(
      `${name} must hold no user name and no password: requests are authenticated by their signature`,
    )
  }
  if (url.hash !== '') throw new Error(`${name} must have no fragment (#…)`)
  return url
}

/** The URL parser has written every form of an IPv4 address in dots. */
function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)
}

function parseSecrets(value: unknown): Buffer[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new Error('secrets must be a list of at least one secret, the current one first')
  }
  return value.map((text: unknown, index) => {
    const secret = typeof text === 'string' ? parseSecret(text) : undefined
    if (!secret) throw new Error(`secrets[${index}] must be whsec_ and 24 to 64 random bytes in base64`)
    return secret
  })
}

function parseNumber(
  options: Readonly<Record<string, unknown>>,
  name: string,
  standard: number,
  max: number,
): number {
  const value = options[name] ?? standard
  if (typeof value === 'number' && value > 0 && value <= max) return value
  throw new Error(`${name} must be a number above 0, and at most ${max}`)
}
