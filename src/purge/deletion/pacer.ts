/** What the purges of one process share when they delete: one adaptive limit per part of a store, and rate limits. */
import type { DeleteOptions, DeleteOutcome, FileIO } from '../../storage/file-io.ts'
import { forwardFileIO } from '../../storage/forward.ts'
import { type Clock, systemClock } from '../clock.ts'
import { AdaptiveLimit } from './adaptive-limit.ts'
import { RateLimit } from './rate-limit.ts'

/** Batches in flight against one part of a store, over all purges. */
const maxInFlight = 64
/** Parts of stores that are remembered; those that nobody used for longest are forgotten. */
const maxParts = 1_000

export interface PacerOptions {
  /** Files a second that this process deletes. @default no limit */
  readonly filesPerSecond?: number | undefined
  /** @default the system's */
  readonly clock?: Clock
}

export class Pacer {
  readonly #clock: Clock
  readonly #rate: RateLimit | undefined
  readonly #limits = new Map<string, AdaptiveLimit>()

  constructor({ filesPerSecond, clock = systemClock }: PacerOptions = {}) {
    this.#clock = clock
    this.#rate = filesPerSecond === undefined ? undefined : new RateLimit(clock, filesPerSecond)
  }

  /** A limit of files a second for one warehouse. */
  rateLimit(filesPerSecond: number | undefined): RateLimit | undefined {
    return filesPerSecond === undefined ? undefined : new RateLimit(this.#clock, filesPerSecond)
  }

  /** The same files, with deletions paced. All paths of one call should lie in one part of the store: one table's do. */
  pace(io: FileIO, warehouse?: RateLimit | undefined): FileIO {
    return forwardFileIO(io, {
      deleteFiles: (locations, options) => this.#delete(io, warehouse, locations, options),
    })
  }

  async #delete(
    io: FileIO,
    warehouse: RateLimit | undefined,
    locations: readonly string[],
    options: DeleteOptions = {},
  ): Promise<DeleteOutcome[]> {
    if (locations.length === 0) return []
    const { signal } = options
    await warehouse?.take(locations.length, signal)
    await this.#rate?.take(locations.length, signal)
    const limit = this.#limitOf(partOf(locations[0]!))
    const onThrottle = (retryAfter: number | undefined) => {
      limit.throttled(retryAfter)
      options.onThrottle?.(retryAfter)
    }
    return await limit.run(() => io.deleteFiles(locations, { ...options, onThrottle }), signal)
  }

  #limitOf(part: string): AdaptiveLimit {
    const limit = this.#limits.get(part) ?? new AdaptiveLimit(this.#clock, maxInFlight)
    this.#limits.delete(part)
    this.#limits.set(part, limit)
    if (this.#limits.size > maxParts) this.#limits.delete(this.#limits.keys().next().value!)
    return limit
  }
}

/** Bucket and first segment of the key: stores divide a bucket by prefix, and tables of a warehouse share the first. */
function partOf(location: string): string {
  return /^[a-z0-9]+:\/\/[^/]*\/?[^/]*/.exec(location)?.[0] ?? 'local'
}
