import { constants } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { mapBounded } from '../concurrency.ts'
import {
  type DeleteOptions,
  type DeleteOutcome,
  type FileInfo,
  type FileIO,
  FileTooLargeError,
  type ReadOptions,
} from '../file-io.ts'
import { Confinement, type RealDirectories } from './confinement.ts'
import { deleteOutcome, fileError, writeError } from './errors.ts'
import { fileInfo, removeEmpty, walk } from './walk.ts'
import { copyDurably, writeDurably } from './write.ts'

/** Files deleted at a time; the thread pool of Node.js has four threads by default. */
const deletesInFlight = 16
/** A link may lead out of the roots. */
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW

/** Files of the local file system (or one mounted there), inside the given roots only. */
export class LocalFileIO implements FileIO {
  readonly capabilities = {
    cheapStat: true,
    conditionalWrite: true,
    directories: true,
    deleteBatchSize: 1_000,
  }
  readonly #confinement: Confinement

  /** @param roots locations outside of which nothing is read, written or deleted. */
  constructor(roots: readonly string[]) {
    this.#confinement = new Confinement(roots)
  }

  async read(location: string, options: ReadOptions = {}): Promise<Buffer> {
    try {
      const file = await open(await this.#confinement.file(location), readOnly)
      try {
        const { size } = await file.stat()
        if (options.maxBytes !== undefined && size > options.maxBytes) {
          throw new FileTooLargeError(location, options.maxBytes)
        }
        return await file.readFile({ signal: options.signal })
      } finally {
        await file.close()
      }
    } catch (error) {
      options.signal?.throwIfAborted()
      throw fileError(location, error)
    }
  }

  async *readStream(location: string, options: ReadOptions = {}): AsyncGenerator<Buffer> {
    const { maxBytes = Number.POSITIVE_INFINITY, signal } = options
    let total = 0
    try {
      const file = await open(await this.#confinement.file(location), readOnly)
      const chunks: AsyncIterable<Buffer> = file.createReadStream({ highWaterMark: 1024 * 1024, signal })
      for await (const chunk of chunks) {
        total += chunk.length
        if (total > maxBytes) throw new FileTooLargeError(location, maxBytes)
        yield chunk
      }
    } catch (error) {
      options.signal?.throwIfAborted()
      throw fileError(location, error)
    }
  }

  async write(
    location: string,
    bytes: Uint8Array,
    options: { ifAbsent?: boolean; signal?: AbortSignal } = {},
  ): Promise<void> {
    options.signal?.throwIfAborted()
    try {
      await writeDurably(await this.#confinement.file(location), bytes, options.ifAbsent === true)
    } catch (error) {
      throw writeError(location, error)
    }
  }

  async copy(from: string, to: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    options.signal?.throwIfAborted()
    try {
      const source = await this.#confinement.file(from)
      await copyDurably(source, await this.#confinement.file(to))
    } catch (error) {
      throw fileError(from, error)
    }
  }

  async stat(location: string): Promise<FileInfo | undefined> {
    try {
      const info = await fileInfo(await this.#confinement.file(location))
      return info && { ...info, location }
    } catch (error) {
      throw fileError(location, error)
    }
  }

  async *list(location: string, options: ReadOptions = {}): AsyncGenerator<FileInfo> {
    try {
      yield* walk(await this.#confinement.directory(location), options.signal)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw fileError(location, error)
    }
  }

  async deleteFiles(locations: readonly string[], options: DeleteOptions = {}): Promise<DeleteOutcome[]> {
    const known: RealDirectories = new Map()
    return await mapBounded(locations, deletesInFlight, async (location) => {
      options.signal?.throwIfAborted()
      try {
        return await deleteFile(await this.#confinement.file(location, known))
      } catch (error) {
        return deleteOutcome(error)
      }
    })
  }

  async removeEmptyDirectories(location: string): Promise<void> {
    try {
      await removeEmpty(await this.#confinement.directory(location))
    } catch (error) {
      throw fileError(location, error)
    }
  }

  async close(): Promise<void> {}
}

/** Hadoop's checksum file means nothing without the file it belongs to. It goes first, so that it is never left alone. */
async function deleteFile(path: string): Promise<DeleteOutcome> {
  try {
    await unlink(join(dirname(path), `.${basename(path)}.crc`))
  } catch (error) {
    if (deleteOutcome(error).outcome !== 'absent') throw error
  }
  await unlink(path)
  return { outcome: 'deleted' }
}
