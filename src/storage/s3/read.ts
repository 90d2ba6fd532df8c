import type { Readable } from 'node:stream'
import { FileError, FileTooLargeError, type ReadOptions, StorageUnavailableError } from '../file-io.ts'
import type { Connection } from './client.ts'
import { fileError } from './errors.ts'
import { withIdleLimit } from './idle-limit.ts'
import { objectOf } from './object.ts'

/** Requests in a row that bring no more than {@link progress}, beside the SDK's own retries, which end where the body begins. */
const requests = 4
/** Bytes of a body after which its breaking off is another misfortune: stores end connections that nobody reads from. */
const progress = 64 * 1024

/** The object's bytes in order. A body that breaks off is taken up again where it broke off, if it is still the same. */
export async function* readObject(
  { sdk, client, idleLimit }: Connection,
  location: string,
  { maxBytes = Number.POSITIVE_INFINITY, signal }: ReadOptions,
): AsyncGenerator<Buffer> {
  const { bucket, key } = objectOf(location)
  let position = 0
  let version: string | undefined
  for (let request = 1; ; request++) {
    let begun = false
    const from = position
    try {
      const range = position > 0 && { Range: `bytes=${position}-` }
      const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: key, ...range })
      const answer = await client.send(command, { abortSignal: signal })
      const body = answer.Body as Readable
      begun = true
      version ??= answer.ETag
      const size = position + (answer.ContentLength ?? Number.NaN)
      const resumed = position === 0 || (answer.ContentRange !== undefined && answer.ETag === version)
      if (size > maxBytes || !resumed) {
        body.destroy()
        throw resumed ? new FileTooLargeError(location, maxBytes) : changed(location)
      }
      for await (const chunk of withIdleLimit(body, idleLimit)) {
        position += chunk.length
        if (position > maxBytes) throw new FileTooLargeError(location, maxBytes)
        yield chunk
      }
      if (position < size) throw Object.assign(new Error('The body broke off.'), { name: 'IncompleteBody' })
      return
    } catch (error) {
      signal?.throwIfAborted()
      const brokenOff = begun && !(error instanceof FileError)
      if (position - from > progress) request = 0
      if (!brokenOff || request === requests) throw fileError(location, error)
    }
  }
}

function changed(location: string): StorageUnavailableError {
  return new StorageUnavailableError(location, `The object changed while it was read: ${location}`)
}
