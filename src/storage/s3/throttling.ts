import type { Answer } from './answers.ts'
import { isUnanswered } from './errors.ts'

/** The store asks for fewer requests; milliseconds that it asks to wait, where it says so. */
export type OnThrottle = (retryAfter: number | undefined) => void

/** Where {@link reportThrottling} stands: within the SDK's retries. */
export const aroundAnswer = { step: 'deserialize', priority: 'low', name: 'reportThrottling' } as const

/**
 * Middleware that tells of every answer 503 or 429, and of every one that does not come, before the SDK sends the request
 * again. A store that has too much to do falls silent before it complains.
 */
export function reportThrottling<Args, Result extends { response: unknown }>(
  next: (args: Args) => Promise<Result>,
  onThrottle: OnThrottle | undefined,
): (args: Args) => Promise<Result> {
  return async (args) => {
    try {
      const result = await next(args)
      const { statusCode, headers } = result.response as Answer
      if (statusCode === 503 || statusCode === 429) onThrottle?.(retryAfterOf(headers))
      return result
    } catch (error) {
      if (isUnanswered(error)) onThrottle?.(undefined)
      throw error
    }
  }
}

/** The longest that is believed: a day. */
const longestWait = 86_400_000

/**
 * Milliseconds that the header `Retry-After` asks to wait: it counts seconds, or names a date (RFC 9110 §10.2.3), which
 * is compared with the answer's own.
 */
export function retryAfterOf(headers: Answer['headers'], now = Date.now()): number | undefined {
  const value = headers['retry-after']?.trim() ?? ''
  if (/^\d{1,9}$/.test(value)) return Math.min(Number(value) * 1_000, longestWait)
  const [until, since] = [dateOf(value), dateOf(headers.date)]
  return until === undefined ? undefined : Math.min(Math.max(0, until - (since ?? now)), longestWait)
}

function dateOf(value = ''): number | undefined {
  const date = / GMT$/.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? undefined : date
}
