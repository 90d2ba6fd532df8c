/**
 * What a table's root metadata names. It is read as a stream and only in part: the metadata of a table with a long
 * history takes hundreds of megabytes, and a purge needs nothing of it but paths.
 */
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { isIcebergError } from '../iceberg/errors.ts'
import { JsonError } from '../iceberg/json/exact-json.ts'
import { Fields } from '../iceberg/json/fields.ts'
import { type Member, readMembers } from '../iceberg/json/member-stream.ts'
import { type FileIO, FileNotFoundError, FileTooLargeError } from '../storage/file-io.ts'
import type { DoomedFile } from './deletion/batch.ts'
import { PermanentPurgeError, type Purge } from './purger.ts'

/** Bytes of a root metadata file after decompression. */
const maxMetadataBytes = 2 * 1024 ** 3

/** What a table's root metadata names, each path once. */
export interface TableReach {
  /** `gc.enabled`: false keeps the data stage, because the data may belong to others. */
  readonly ownsData: boolean
  readonly properties: Readonly<Record<string, string>>
  readonly manifestLists: readonly string[]
  /** Statistics and partition statistics. */
  readonly statistics: readonly DoomedFile[]
  readonly olderMetadata: readonly string[]
  /** Manifests embedded in v1 snapshots. */
  readonly embeddedManifests: readonly string[]
  /** Bytes of the root itself, as stored. */
  readonly rootSize: number
}

/**
 * Reads the root of a table. Throws PermanentPurgeError naming it when it is missing, no valid metadata, that of another
 * table, of a format version above 3, or encrypted; and the storage's errors.
 */
export async function readRoot(io: FileIO, purge: Purge, signal: AbortSignal): Promise<TableReach> {
  const location = purge.metadataLocation
  const root = new Root()
  let rootSize = 0
  const stored = async function* () {
    for await (const chunk of io.readStream(location, { signal })) {
      rootSize += chunk.length
      yield chunk
    }
  }
  try {
    for await (const members of readMembers(decompressed(stored(), location), Root.members)) {
      for (const member of members) root.take(member)
    }
    root.check(purge.uuid)
  } catch (error) {
    throw asPurgeError(error, location)
  }
  return root.reach(location, rootSize)
}

class Root {
  static readonly members: ReadonlySet<string> = new Set([
    'encryption-keys',
    'format-version',
    'metadata-log',
    'partition-statistics',
    'properties',
    'snapshots',
    'statistics',
    'table-uuid',
  ])

  readonly #manifestLists = new Set<string>()
  readonly #embedded = new Set<string>()
  readonly #statistics = new Map<string, number>()
  readonly #olderMetadata = new Set<string>()
  #properties: Readonly<Record<string, string>> = {}
  #encrypted = false
  #version: number | undefined
  #uuid: string | undefined

  take({ name, index, value }: Member): void {
    if (value === null) return
    if (name === 'format-version') {
      this.#version = new Fields({ [name]: value }, 'table metadata').int(name)
    } else if (name === 'table-uuid') {
      this.#uuid = new Fields({ [name]: value }, 'table metadata').string(name)
    } else if (name === 'properties') {
      this.#properties = new Fields({ [name]: value }, 'table metadata').stringMap(name)
    } else if (index === undefined) {
      throw new PermanentPurgeError(`its member ${name} is no array`)
    } else {
      this.#takeElement(name, new Fields(value, `${name}[${index}]`))
    }
  }

  #takeElement(name: string, fields: Fields): void {
    if (name === 'encryption-keys') {
      this.#encrypted = true
    } else if (name === 'metadata-log') {
      this.#olderMetadata.add(detached(fields.string('metadata-file')))
    } else if (name === 'snapshots') {
      this.#encrypted ||= fields.has('key-id')
      const list = fields.optionalString('manifest-list')
      if (list !== undefined) this.#manifestLists.add(detached(list))
      else for (const manifest of fields.strings('manifests')) this.#embedded.add(detached(manifest))
    } else {
      this.#statistics.set(
        detached(fields.string('statistics-path')),
        Number(fields.long('file-size-in-bytes')),
      )
    }
  }

  /** Throws PermanentPurgeError saying what is wrong. */
  check(uuid: string | undefined): void {
    if (this.#version === undefined) throw new PermanentPurgeError('it has no format-version')
    if (![1, 2, 3].includes(this.#version)) {
      throw new PermanentPurgeError(`its format version is ${this.#version}: supported are 1, 2 and 3`)
    }
    // A table of version 1 may have got its UUID after the catalog had noted that it has none.
    if (uuid !== undefined && this.#uuid?.toLowerCase() !== uuid.toLowerCase()) {
      throw new PermanentPurgeError(`it is that of another table, whose UUID is ${this.#uuid ?? 'missing'}`)
    }
    if (this.#encrypted) {
      throw new PermanentPurgeError(
        'the table is encrypted, and its manifests cannot be read without its keys',
      )
    }
  }

  reach(location: string, rootSize: number): TableReach {
    this.#olderMetadata.delete(location)
    return {
      ownsData: this.#properties['gc.enabled']?.toLowerCase() !== 'false',
      properties: this.#properties,
      manifestLists: [...this.#manifestLists],
      embeddedManifests: [...this.#embedded],
      statistics: Array.from(this.#statistics, ([path, size]) => ({ path, size })),
      olderMetadata: [...this.#olderMetadata],
      rootSize,
    }
  }
}

/** A copy: V8 keeps the whole text alive of which a string is a part, and a snapshot's is five times its path. */
function detached(path: string): string {
  return Buffer.from(path).toString()
}

/** Throws FileTooLargeError; the errors of broken gzip carry zlib's code. */
async function* decompressed(stored: AsyncGenerator<Buffer>, location: string): AsyncGenerator<Buffer> {
  let size = 0
  for await (const chunk of await unzipped(stored)) {
    size += chunk.length
    if (size > maxMetadataBytes) throw new FileTooLargeError(location, maxMetadataBytes)
    yield chunk
  }
}

/** By the first bytes, whatever the file's name: `.gz.metadata.json`, and `.metadata.json.gz` of old writers. */
async function unzipped(stored: AsyncGenerator<Buffer>): Promise<AsyncIterable<Buffer>> {
  const first = await stored.next()
  if (first.done) return stored
  const whole = async function* () {
    try {
      yield first.value
      yield* stored
    } finally {
      // Also when nobody reads further than the first chunk.
      await stored.return(undefined)
    }
  }
  if (!(first.value[0] === 0x1f && first.value[1] === 0x8b)) return whole()
  const gunzip = createGunzip()
  // Errors of either side come out of the reading end.
  pipeline(Readable.from(whole()), gunzip, () => undefined)
  return gunzip
}

function asPurgeError(error: unknown, location: string): unknown {
  if (error instanceof FileNotFoundError) {
    return new PermanentPurgeError(`The root metadata file is missing: ${location}`, { cause: error })
  }
  const code = (error as NodeJS.ErrnoException).code
  const isBroken =
    isIcebergError(error) ||
    error instanceof JsonError ||
    error instanceof FileTooLargeError ||
    error instanceof PermanentPurgeError ||
    (typeof code === 'string' && code.startsWith('Z_'))
  if (!isBroken) return error
  const { message } = error as Error
  return new PermanentPurgeError(`The root metadata file cannot be read: ${location}: ${message}`, {
    cause: error,
  })
}
