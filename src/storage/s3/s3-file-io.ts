import type { Readable } from 'node:stream'
import {
  type DeleteOptions,
  type DeleteOutcome,
  FileAccessError,
  type FileInfo,
  type FileIO,
  FileNotFoundError,
  FileTooLargeError,
  type ReadOptions,
} from '../file-io.ts'
import { s3Parts } from '../location.ts'
import type { S3StorageOptions } from '../options.ts'
import { type Connection, connect } from './client.ts'
import { deleteObjects } from './delete.ts'
import { fileError } from './errors.ts'

export interface S3FileIOOptions extends S3StorageOptions {
  /** DeleteObjects requests in flight of one call. @default 4 */
  readonly deletesInFlight?: number
}

/** Objects of S3, or of a store that speaks its protocol. Keys are literal, all buckets that the credentials reach. */
export class S3FileIO implements FileIO {
  readonly capabilities = { cheapStat: false, conditionalWrite: true, directories: false }
  readonly #options: S3FileIOOptions
  #connection: Promise<Connection> | undefined

  constructor(options: S3FileIOOptions) {
    this.#options = options
  }

  async read(location: string, options: ReadOptions = {}): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of this.readStream(location, options)) chunks.push(chunk)
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  }

  async *readStream(location: string, options: ReadOptions = {}): AsyncGenerator<Buffer> {
    const { maxBytes = Number.POSITIVE_INFINITY, signal } = options
    const { bucket, key } = s3Parts(location)
    const { sdk, client } = await this.#connect()
    try {
      const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: key })
      const answer = await client.send(command, { abortSignal: signal })
      const body = answer.Body as Readable
      if ((answer.ContentLength ?? 0) > maxBytes) {
        body.destroy()
        throw new FileTooLargeError(location, maxBytes)
      }
      let total = 0
      for await (const chunk of body as AsyncIterable<Buffer>) {
        total += chunk.length
        if (total > maxBytes) throw new FileTooLargeError(location, maxBytes)
        yield chunk
      }
      if (answer.ContentLength !== undefined && total !== answer.ContentLength) {
        throw new Error(`got ${total} of ${answer.ContentLength} bytes`)
      }
    } catch (error) {
      signal?.throwIfAborted()
      throw fileError(location, error)
    }
  }

  async write(
    location: string,
    bytes: Uint8Array,
    options: { ifAbsent?: boolean; signal?: AbortSignal } = {},
  ): Promise<void> {
    const { bucket, key } = s3Parts(location)
    const { sdk, client } = await this.#connect()
    const command = new sdk.PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: bytes,
      ...(options.ifAbsent && { IfNoneMatch: '*' }),
    })
    try {
      await client.send(command, { abortSignal: options.signal })
    } catch (error) {
      options.signal?.throwIfAborted()
      throw fileError(location, error)
    }
  }

  async stat(location: string, options: ReadOptions = {}): Promise<FileInfo | undefined> {
    const { bucket, key } = s3Parts(location)
    const { sdk, client } = await this.#connect()
    const command = new sdk.HeadObjectCommand({ Bucket: bucket, Key: key })
    try {
      const answer = await client.send(command, { abortSignal: options.signal })
      return {
        location,
        size: answer.ContentLength ?? 0,
        modifiedAt: answer.LastModified?.getTime() ?? 0,
      }
    } catch (error) {
      options.signal?.throwIfAborted()
      const mapped = fileError(location, error)
      if (!(mapped instanceof FileNotFoundError)) throw mapped
      // An answer to HEAD has no body: it does not say whether the key or the whole bucket is missing.
      await this.#requireBucket(bucket, location)
      return undefined
    }
  }

  async *list(location: string, options: ReadOptions = {}): AsyncGenerator<FileInfo> {
    const { bucket, key } = s3Parts(location)
    const prefix = key === '' ? '' : `${key.replace(/\/+$/, '')}/`
    const { sdk, client } = await this.#connect()
    let token: string | undefined
    do {
      // URL encoding carries keys that XML cannot.
      const command = new sdk.ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        EncodingType: 'url',
        ...(token !== undefined && { ContinuationToken: token }),
      })
      try {
        const answer = await client.send(command, { abortSignal: options.signal })
        const decode = answer.EncodingType === 'url' ? decodeKey : (text: string) => text
        for (const object of answer.Contents ?? []) {
          yield {
            location: `s3://${bucket}/${decode(object.Key ?? '')}`,
            size: object.Size ?? 0,
            modifiedAt: object.LastModified?.getTime() ?? 0,
          }
        }
        token = answer.IsTruncated ? answer.NextContinuationToken : undefined
      } catch (error) {
        options.signal?.throwIfAborted()
        throw fileError(location, error)
      }
    } while (token !== undefined)
  }

  async deleteFiles(locations: readonly string[], options: DeleteOptions = {}): Promise<DeleteOutcome[]> {
    options.signal?.throwIfAborted()
    return await deleteObjects(await this.#connect(), locations, {
      inFlight: this.#options.deletesInFlight ?? 4,
      signal: options.signal,
    })
  }

  async removeEmptyDirectories(): Promise<void> {}

  async close(): Promise<void> {
    const connection = await this.#connection
    connection?.client.destroy()
  }

  #connect(): Promise<Connection> {
    this.#connection ??= connect(this.#options)
    return this.#connection
  }

  async #requireBucket(bucket: string, location: string): Promise<void> {
    const { sdk, client } = await this.#connect()
    try {
      await client.send(new sdk.HeadBucketCommand({ Bucket: bucket }))
    } catch (error) {
      const mapped = fileError(location, error)
      throw mapped instanceof FileNotFoundError
        ? new FileAccessError(location, `The bucket does not exist: ${location}`, error)
        : mapped
    }
  }
}

function decodeKey(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}
