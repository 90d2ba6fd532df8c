import type { Readable } from 'node:stream'

/**
 * A body's chunks. When none comes for so many milliseconds, although one is waited for, the connection is given up with
 * a TimeoutError: the SDK's own limits end where the body begins, and a store that falls silent there would be waited for
 * for ever. A reader that takes its time is not the store's fault.
 */
export async function* withIdleLimit(body: Readable, milliseconds: number): AsyncGenerator<Buffer> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  try {
    for (;;) {
      const timer = setTimeout(() => body.destroy(stalled(milliseconds)), milliseconds)
      const { value, done } = await chunks.next().finally(() => clearTimeout(timer))
      if (done) return
      yield value
    }
  } finally {
    await chunks.return?.()
  }
}

/** By this name the SDK repeats the request. */
function stalled(milliseconds: number): Error {
  const error = new Error(`The store sent nothing for ${milliseconds} ms in the middle of an answer`)
  error.name = 'TimeoutError'
  return error
}
