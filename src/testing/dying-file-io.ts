import type { FileInfo, FileIO } from '../storage/file-io.ts'
import { forwardFileIO } from '../storage/forward.ts'

/** `unasked`: the request is not made any more. `unheard`: it is made, and nobody hears of its end. */
export type LastRequest = 'unasked' | 'unheard'

/**
 * A FileIO whose process dies at one request, counted from 0, of those that read, write, copy, list or look: `die` is called, and
 * that request and all after it throw what it gives. Deletions are not counted, and go on.
 */
export function dyingAt(io: FileIO, request: number, last: LastRequest, die: () => Error): FileIO {
  let requests = 0
  let reason: Error | undefined
  const before = (): boolean => {
    if (reason) throw reason
    const isLast = requests++ === request
    if (!isLast || last === 'unheard') return isLast
    reason = die()
    throw reason
  }
  const after = (isLast: boolean): void => {
    if (isLast) reason = die()
    if (reason) throw reason
  }
  const once = async <T>(ask: () => Promise<T>): Promise<T> => {
    const isLast = before()
    const answer = await ask()
    after(isLast)
    return answer
  }
  const streamed = async function* <T extends Buffer | FileInfo>(ask: () => AsyncIterable<T>) {
    const isLast = before()
    yield* ask()
    after(isLast)
  }
  return forwardFileIO(io, {
    read: (...given) => once(() => io.read(...given)),
    readStream: (...given) => streamed(() => io.readStream(...given)),
    write: (...given) => once(() => io.write(...given)),
    copy: (...given) => once(() => io.copy(...given)),
    stat: (...given) => once(() => io.stat(...given)),
    list: (...given) => streamed(() => io.list(...given)),
  })
}
