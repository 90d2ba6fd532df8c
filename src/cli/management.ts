import { CommandError } from './failure.ts'

/** Where the management API is. */
export interface ManagementOptions {
  /** The server: `http://127.0.0.1:8181`. */
  readonly url: string
}

/** No server answers, or one that cannot at the moment: it may later. */
export class UnavailableError extends CommandError {}

/** Milliseconds for an answer. */
const timeout = 30_000

/** Asks a running server. Throws CommandError with the server's own message, and UnavailableError. */
export async function askServer(
  { url }: ManagementOptions,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<unknown> {
  const target = `${url.replace(/\/+$/, '')}/management/v1/${path}`
  let status: number
  let text: string
  try {
    const answer = await fetch(target, {
      method,
      signal: AbortSignal.timeout(timeout),
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    status = answer.status
    text = await answer.text()
  } catch (error) {
    throw new UnavailableError(
      `No server answers at ${url}. Start one (moulin serve), or name it with --url.`,
      { cause: error },
    )
  }
  const Failure = status >= 500 ? UnavailableError : CommandError
  let parsed: { error?: { message: string } }
  try {
    parsed = JSON.parse(text) as { error?: { message: string } }
  } catch (error) {
    throw new Failure(`What answers at ${url} (HTTP ${status}) is no Moulin server.`, { cause: error })
  }
  if (status >= 400) throw new Failure(parsed.error?.message ?? `The server answered ${status}.`)
  return parsed
}
