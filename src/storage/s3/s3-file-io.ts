import {
  type DeleteOptions,
  type DeleteOutcome,
  FileAccessError,
  type FileInfo,
  type FileIO,
  type FileVersion,
  type ReadOptions,
  type StoreSettings,
} from '../file-io.ts'
import { type Connection, type ConnectionOptions, connect } from './client.ts'
import { deleteObjects } from './delete.ts'
import { errorCode, fileError } from './errors.ts'
import { listObjects, listObjectVersions } from './list.ts'
import { objectOf } from './object.ts'
import { readObject } from './read.ts'
import { bucketSettings } from './settings.ts'
import { writeObject } from './write.ts'

export interface S3FileIOOptions extends ConnectionOptions {
  /** DeleteObjects requests in flight of one call. @default 4 */
  readonly deletesInFlight?: number
}

/** Objects of S3, or of a store that speaks its protocol. Keys are literal, all buckets that the credentials reach. */
export class S3FileIO implements FileIO {
  readonly capabilities = {
    cheapStat: false,
    conditionalWrite: true,
    directories: false,
    deleteBatchSize: 1_000,
  }
  readonly #options: S3FileIOOptions
  #connection: Promise<Connection> | undefined

  constructor(options: S3FileIOOptions) {
    this.#options = options
  }

  async read(location: string, options: ReadOptions = {}): Promise<Buffer> {
    const chunks = await Array.fromAsync(this.readStream(location, options))
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  }

  async *readStream(location: string, options: ReadOptions = {}): AsyncGenerator<Buffer> {
    yield* readObject(await this.#connect(), location, options)
  }

  async write(
    location: string,
    bytes: Uint8Array,
    options: { ifAbsent?: boolean; signal?: AbortSignal } = {},
  ): Promise<void> {
    await writeObject(await this.#connect(), location, bytes, options)
  }

  async copy(from: string, to: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    const { sdk, client } = await this.#connect()
    const [source, target] = [objectOf(from), objectOf(to)]
    const command = new sdk.CopyObjectCommand({
      CopySource: encodeURIComponent(`${source.bucket}/${source.key}`),
      Bucket: target.bucket,
      Key: target.key,
    })
    try {
      await client.send(command, { abortSignal: options.signal })
    } catch (error) {
      options.signal?.throwIfAborted()
      throw fileError(from, error)
    }
  }

  async stat(location: string, options: ReadOptions = {}): Promise<FileInfo | undefined> {
    const { bucket, key } = objectOf(location)
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
      if (!isBareNotFound(error)) throw fileError(location, error)
      await this.#requireBucket(bucket, location)
      return undefined
    }
  }

  async *list(location: string, options: ReadOptions = {}): AsyncGenerator<FileInfo> {
    yield* listObjects(await this.#connect(), location, options.signal)
  }

  async *listVersions(location: string, options: ReadOptions = {}): AsyncGenerator<FileVersion> {
    yield* listObjectVersions(await this.#connect(), location, options.signal)
  }

  async deleteFiles(locations: readonly string[], options: DeleteOptions = {}): Promise<DeleteOutcome[]> {
    options.signal?.throwIfAborted()
    return await deleteObjects(await this.#connect(), locations, {
      inFlight: this.#options.deletesInFlight ?? 4,
      signal: options.signal,
      onThrottle: options.onThrottle,
      versions: options.versions,
    })
  }

  async removeEmptyDirectories(): Promise<void> {}

  async storeSettings(location: string): Promise<StoreSettings> {
    return await bucketSettings(await this.#connect(), location)
  }

  async renewCredentials(): Promise<void> {
    const connection = await this.#connection
    await connection?.credentials?.renew()
  }

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
      throw isBareNotFound(error)
        ? new FileAccessError(location, `The bucket does not exist: ${location}`, error)
        : fileError(location, error)
    }
  }
}

/** An answer to HEAD has no body: it does not say whether the key, the bucket or the whole store is missing. */
function isBareNotFound(error: unknown): boolean {
  return errorCode(error) === 'NotFound'
}
