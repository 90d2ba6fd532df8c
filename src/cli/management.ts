import { CommandError } from './failure.ts'

/** Where the management API is. */
export interface ManagementOptions {
  /** The server: `http://127.0.0.1:8181`. */
  readonly url: string
}

/** Asks a running server. Throws CommandError with the server's own message. */
export async function askServer(
  { url }: ManagementOptions,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<unknown> {
  const target = `${url.replace(/\/+$/, '')}/management/v1/${path}`
  let answer: Response
  try {
    answer = await fetch(target, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
  } catch (error) {
    throw new CommandError(`No server answers at ${url}. Start one (moulin serve), or name it with --url.`, {
      cause: error,
    })
  }
  const text = await answer.text()
  let parsed: { error?: { message: string } }
  try {
    parsed = JSON.parse(text) as { error?: { message: string } }
  } catch (error) {
    throw new CommandError(`What answers at ${url} (HTTP ${answer.status}) is no Moulin server.`, {
      cause: error,
    })
  }
  if (!answer.ok) throw new CommandError(parsed.error?.message ?? `The server answered ${answer.status}.`)
  return parsed
}
