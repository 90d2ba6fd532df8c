import {
  type DeleteOptions,
  type DeleteOutcome,
  type FileInfo,
  type FileIO,
  FileNotFoundError,
  StorageUnavailableError,
} from '../../storage/file-io.ts'
import type { Random } from '../random.ts'
import type { VirtualClock } from '../virtual-clock.ts'

export interface Faults {
  /** Of a request that is refused with 503 before anything is done. */
  readonly refused: number
  /** Of a request that is done and whose answer is lost. */
  readonly lostReply: number
  /** Of a key that fails inside an answer. */
  readonly keyFails: number
  /** Milliseconds that a request takes at most. */
  readonly latency: number
}

export const noFaults: Faults = { refused: 0, lostReply: 0, keyFails: 0, latency: 0 }

/** An object store in memory that fails as real ones do. */
export class FaultyStore implements FileIO {
  readonly capabilities = {
    cheapStat: true,
    conditionalWrite: true,
    directories: false,
    deleteBatchSize: 3,
  }
  readonly files = new Map<string, Buffer>()
  /** Paths that the store refuses to delete. */
  readonly blocked = new Set<string>()
  faults: Faults = noFaults
  /** Told before a file is deleted. */
  onDelete: (path: string) => void = () => undefined
  readonly #clock: VirtualClock
  readonly #random: Random
  /** Deleted a short while ago: a stale listing may still show it. */
  readonly #ghosts: string[] = []

  constructor(clock: VirtualClock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  async read(location: string): Promise<Buffer> {
    return await this.#request(location, () => {
      const bytes = this.files.get(location)
      if (!bytes) throw new FileNotFoundError(location)
      return bytes
    })
  }

  async *readStream(location: string): AsyncGenerator<Buffer> {
    const bytes = await this.read(location)
    // In pieces, so that a reader may be cut off between two.
    const half = Math.ceil(bytes.length / 2)
    yield bytes.subarray(0, half)
    yield bytes.subarray(half)
  }

  async write(location: string, bytes: Uint8Array): Promise<void> {
    this.files.set(location, Buffer.from(bytes))
  }

  async copy(from: string, to: string): Promise<void> {
    await this.write(to, await this.read(from))
  }

  async stat(location: string): Promise<FileInfo | undefined> {
    return await this.#request(location, () => {
      const bytes = this.files.get(location)
      return bytes && { location, size: bytes.length, modifiedAt: 0 }
    })
  }

  async *list(location: string): AsyncGenerator<FileInfo> {
    const prefix = location.endsWith('/') ? location : `${location}/`
    const found = await this.#request(location, () =>
      [...this.files.keys(), ...(this.#random.chance(0.2) ? this.#ghosts.slice(-3) : [])].filter((path) =>
        path.startsWith(prefix),
      ),
    )
    for (const path of new Set(found)) {
      yield { location: path, size: this.files.get(path)?.length ?? 0, modifiedAt: 0 }
    }
  }

  /** @param underWay awaited when the request is sent, before it arrives. */
  async deleteFiles(
    locations: readonly string[],
    options: DeleteOptions = {},
    underWay?: () => Promise<void>,
  ): Promise<DeleteOutcome[]> {
    // Nothing is awaited before this: what was confirmed is still so.
    for (const path of locations) this.onDelete(path)
    await underWay?.()
    return await this.#request(
      locations[0] ?? '',
      () => locations.map((path) => this.#delete(path, options)),
      this.faults.lostReply,
    )
  }

  async removeEmptyDirectories(): Promise<void> {}
  async close(): Promise<void> {}

  #delete(path: string, { onThrottle }: DeleteOptions): DeleteOutcome {
    if (this.blocked.has(path)) return { outcome: 'blocked', code: 'AccessDenied', message: 'locked' }
    if (this.#random.chance(this.faults.keyFails)) {
      const code = this.#random.of(['InternalError', 'SlowDown'])
      if (code === 'SlowDown') onThrottle?.(undefined)
      return { outcome: 'failed', code, message: 'try again' }
    }
    if (!this.files.delete(path)) return { outcome: 'absent' }
    this.#ghosts.push(path)
    return { outcome: 'deleted' }
  }

  async #request<T>(location: string, work: () => T, lostReply = 0): Promise<T> {
    const { refused, latency } = this.faults
    if (this.#random.chance(refused)) {
      await this.#wait(latency)
      throw new StorageUnavailableError(location, `The object store did not do its work (SlowDown, HTTP 503)`)
    }
    const result = work()
    await this.#wait(latency)
    if (this.#random.chance(lostReply)) {
      throw new StorageUnavailableError(location, 'The object store did not do its work (ECONNRESET)')
    }
    return result
  }

  async #wait(latency: number): Promise<void> {
    if (latency > 0) await this.#clock.sleep(this.#random.next() ** 3 * latency)
  }
}
