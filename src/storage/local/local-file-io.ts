import { createReadStream } from 'node:fs'
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
import { Confinement } from './confinement.ts'
import { deleteOutcome, fileError } from './errors.ts'
import { fileInfo, removeEmpty, walk } from './walk.ts'
import { writeDurably } from './write.ts'

/** Files deleted at a time; the thread pool of Node.js has four threads by default. */
const deletesInFlight = 16

/** Files of the local file system (or one mounted there), inside the given roots only. */
export class LocalFileIO implements FileIO {
  readonly capabilities = { cheapStat: true, conditionalWrite: true, directories: true }
  readonly #confinement: Confinement

  /** @param roots locations outside of which nothing is read, written or deleted. */
  constructor(roots: readonly string[]) {
    this.#confinement = new Confinement(roots)
  }

  async read(location: string, options: ReadOptions = {}): Promise<Buffer> {
    return await this.#at(location, async (path) => {
      const file = await open(path, 'r')
      try {
        const { size } = await file.stat()
        if (options.maxBytes !== undefined && size > options.maxBytes) {
          throw new FileTooLargeError(location, options.maxBytes)
        }
        return await file.readFile({ signal: options.signal })
      } finally {
        await file.close()
      }
    })
  }

  async *readStream(location: string, options: ReadOptions = {}): AsyncGenerator<Buffer> {
    const path = await this.#confinement.path(location)
    const stream = createReadStream(path, { highWaterMark: 1024 * 1024, signal: options.signal })
    let total = 0
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        total += chunk.length
        if (options.maxBytes !== undefined && total > options.maxBytes) {
          throw new FileTooLargeError(location, options.maxBytes)
        }
        yield chunk
      }
    } catch (error) {
      throw fileError(location, error)
    }
  }

  async write(
    location: string,
    bytes: Uint8Array,
    options: { ifAbsent?: boolean; signal?: AbortSignal } = {},
  ): Promise<void> {
    options.signal?.throwIfAborted()
    await this.#at(location, (path) => writeDurably(path, bytes, options.ifAbsent === true))
  }

  async stat(location: string): Promise<FileInfo | undefined> {
    return await this.#at(location, async (path) => {
      const info = await fileInfo(path)
      return info && { ...info, location }
    })
  }

  async *list(location: string, options: ReadOptions = {}): AsyncGenerator<FileInfo> {
    const directory = await this.#confinement.path(location)
    try {
      yield* walk(directory, options.signal)
    } catch (error) {
      throw fileError(location, error)
    }
  }

  async deleteFiles(locations: readonly string[], options: DeleteOptions = {}): Promise<DeleteOutcome[]> {
    return await mapBounded(locations, deletesInFlight, async (location) => {
      options.signal?.throwIfAborted()
      return await this.#delete(location)
    })
  }

  async removeEmptyDirectories(location: string): Promise<void> {
    await this.#at(location, removeEmpty)
  }

  async close(): Promise<void> {}

  async #delete(location: string): Promise<DeleteOutcome> {
    try {
      const path = await this.#confinement.path(location)
      // Hadoop's checksum file is nothing without the file it belongs to; it goes first, so that it is never left alone.
      await unlink(join(dirname(path), `.${basename(path)}.crc`)).catch((error: NodeJS.ErrnoException) => {
        if (deleteOutcome(error).outcome !== 'absent') throw error
      })
      await unlink(path)
      return { outcome: 'deleted' }
    } catch (error) {
      return deleteOutcome(error)
    }
  }

  async #at<T>(location: string, work: (path: string) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#confinement.path(location))
    } catch (error) {
      throw fileError(location, error)
    }
  }
}
