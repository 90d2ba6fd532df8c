/**
 * Manifests of S3 Batch Operations: CSV without a header, `bucket,key`, one for each bucket, written while the table's own
 * manifests are read, in constant memory.
 */
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { Connection } from '../../../storage/s3/client.ts'
import { fileError } from '../../../storage/s3/errors.ts'
import { objectOf } from '../../../storage/s3/object.ts'
import { PermanentPurgeError } from '../../purger.ts'

/** Bytes of a part: S3 takes 10,000 of them, so that a manifest has at most 80 GB. */
const partSize = 8 * 1024 * 1024
/** Buckets that one table may have its files in. */
const maxBuckets = 20

export interface Manifest {
  /** Whose objects it names. */
  readonly bucket: string
  /** Where it is. */
  readonly location: string
  readonly etag: string
  readonly objects: number
}

export interface ObjectName {
  readonly bucket: string
  readonly key: string
}

/**
 * Writes the manifests of all these objects, as `<folder>/<bucket>.csv`. `begin` is awaited for every bucket before its first
 * row. Throws PermanentPurgeError for a key that no manifest can hold, and the storage's errors; then nothing is left of them.
 */
export async function writeManifests(
  connection: Connection,
  folder: string,
  objects: AsyncIterable<readonly ObjectName[]>,
  begin: (bucket: string) => Promise<void>,
): Promise<Manifest[]> {
  const uploads = new Map<string, ManifestUpload>()
  try {
    for await (const some of objects) {
      for (const [bucket, rows] of Map.groupBy(some, (object) => object.bucket)) {
        let upload = uploads.get(bucket)
        if (!upload) {
          if (uploads.size === maxBuckets) {
            throw new PermanentPurgeError(
              `The table's files lie in more than ${maxBuckets} buckets: too many for s3-batch; use sql-async.`,
            )
          }
          await begin(bucket)
          upload = await ManifestUpload.begin(connection, bucket, `${folder}/${bucket}.csv`)
          uploads.set(bucket, upload)
        }
        await upload.write(rows)
      }
    }
    return await Promise.all([...uploads.values()].map((upload) => upload.end()))
  } catch (error) {
    await Promise.all([...uploads.values()].map((upload) => upload.abort()))
    throw error
  }
}

/**
 * A key as a manifest has it: percent-encoded in UTF-8, but for letters, digits, `-`, `.`, `_`, `~` and `/`, so that a reader
 * who takes `+` for a space, and one who does not, find the same key. Throws PermanentPurgeError for what is no Unicode text.
 */
export function encodeKey(key: string): string {
  if (!key.isWellFormed()) {
    throw new PermanentPurgeError(`A file's name is no Unicode text: ${JSON.stringify(key)}`)
  }
  return encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

class ManifestUpload {
  readonly #bucket: string
  readonly #location: string
  readonly #stream = new PassThrough()
  readonly #done: Promise<string>
  #objects = 0

  static async begin(connection: Connection, bucket: string, location: string): Promise<ManifestUpload> {
    const { Upload } = await import('@aws-sdk/lib-storage')
    const { bucket: target, key } = objectOf(location)
    return new ManifestUpload(bucket, location, (body) => {
      const params = { Bucket: target, Key: key, Body: body, ContentType: 'text/csv' }
      return new Upload({ client: connection.client, params, partSize, queueSize: 1 })
    })
  }

  private constructor(
    bucket: string,
    location: string,
    upload: (body: PassThrough) => { done(): Promise<{ ETag?: string | undefined }> },
  ) {
    this.#bucket = bucket
    this.#location = location
    this.#done = upload(this.#stream)
      .done()
      .then(
        ({ ETag = '' }) => ETag.replaceAll('"', ''),
        (error: unknown) => {
          throw fileError(location, error)
        },
      )
    // Whoever writes hears of it by the stream, and by `end`.
    this.#done.catch((error: unknown) => this.#stream.destroy(error as Error))
    this.#stream.on('error', () => undefined)
  }

  async write(objects: readonly ObjectName[]): Promise<void> {
    const rows = objects.map(({ bucket, key }) => `${bucket},${encodeKey(key)}\n`).join('')
    this.#objects += objects.length
    if (this.#stream.errored) await this.#done
    if (!this.#stream.write(rows)) await Promise.race([once(this.#stream, 'drain'), this.#done])
  }

  async end(): Promise<Manifest> {
    this.#stream.end()
    const etag = await this.#done
    return { bucket: this.#bucket, location: this.#location, etag, objects: this.#objects }
  }

  /** The parts that were sent are removed. */
  async abort(): Promise<void> {
    // The upload's own abort does not wait until they are.
    this.#stream.destroy(new Error('The manifest is given up.'))
    await this.#done.catch(() => undefined)
  }
}
