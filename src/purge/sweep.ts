/**
 * After the reach: what else lies at the table's own locations? Late commits, metadata older than the log, files of
 * writers that died. Where the catalog itself assigned the location, and no other table overlaps it, they are erased;
 * elsewhere they are reported. A second listing proves that they are gone.
 */
import type { Database } from '../database/database.ts'
import { FileAccessError, type FileInfo, type FileIO, InvalidLocationError } from '../storage/file-io.ts'
import { containerOf } from '../storage/location.ts'
import type { StoreLimits, VerifiedLocation } from './certificate/certificate.ts'
import type { DoomedFile } from './deletion/batch.ts'
import { eraseFiles, type Portion } from './deletion/erase-files.ts'
import { isOverlapped } from './guard.ts'
import {
  type Purge,
  type PurgeLocation,
  type PurgeRun,
  RetryablePurgeError,
  type Stage,
  type Tally,
} from './purger.ts'
import { addTallies, emptyTally } from './tally.ts'

/**
 * What the sweep erases. `owned`: what is left at locations that the catalog assigned. `all`: at those that a user chose,
 * too. `report`: nothing.
 */
export type SweepPolicy = 'owned' | 'all' | 'report'

/** In stores that keep versions. `current`: old ones stay. `all`: at what is swept, every version is erased for good. */
export type VersionPolicy = 'current' | 'all'

/** The store says of files that they are deleted, and lists them again: nothing was got erased. */
export class ResidueError extends RetryablePurgeError {
  override readonly name = 'ResidueError'
}

/** Files that a report looks at: a location that a user chose may hold anything. */
const maxReported = 10_000
/** Listings of a location in which something is left; then the store, or somebody who writes, needs time. */
const maxListings = 5
/** Files that a certificate names. */
const maxExamples = 20

/**
 * Sweeps and verifies every location of a purge whose reach is erased. Throws RetryablePurgeError when files are left
 * that should be gone, and what listing and deleting throw.
 *
 * @param before what was done for good when the sweep began: what earlier attempts have swept counts at the first location that is
 *   swept (there is hardly ever a second one).
 */
export async function sweep(
  database: Database,
  purge: Purge,
  run: PurgeRun,
  policy: SweepPolicy,
  versions: VersionPolicy,
  before: Tally,
): Promise<VerifiedLocation[]> {
  const verified: VerifiedLocation[] = []
  let earlier: Tally = before
  for (const place of purge.locations) {
    if (await isOverlapped(database.reader, purge, place)) {
      verified.push(await report(run, place, 'overlapped'))
      continue
    }
    if (policy === 'all' || (policy === 'owned' && place.owned)) {
      verified.push(await eraseAll(run, place, versions, earlier))
      earlier = emptyTally
    } else verified.push(await report(run, place, 'reported'))
    if (place.owned) await run.io.removeEmptyDirectories(place.location)
  }
  return verified
}

/** Settings of the stores that hold the purge's files, or held them. */
export async function storeLimits(
  io: FileIO,
  purge: Purge,
  { containers = {} }: Tally,
): Promise<StoreLimits> {
  const limits: Record<string, StoreLimits[string]> = {}
  if (!io.storeSettings) return limits
  const named = [purge.metadataLocation, ...purge.locations.map(({ location }) => location)].map(containerOf)
  for (const container of new Set([...named, ...Object.keys(containers)])) {
    if (container === undefined) continue
    const settings = await io.storeSettings(`${container}/`)
    limits[settings.container] = {
      versioning: settings.versioning,
      'object-lock': settings.objectLock,
    }
  }
  return limits
}

async function eraseAll(
  run: PurgeRun,
  { location, owned }: PurgeLocation,
  versions: VersionPolicy,
  before: Tally,
): Promise<VerifiedLocation> {
  const { io, signal } = run
  const swept = await eraseListed(run, 'sweep', location, before, async function* () {
    for await (const file of io.list(location, { signal })) yield { path: file.location, size: file.size }
  })
  const result = {
    location,
    owned,
    policy: 'erased',
    found: swept,
    complete: true,
    erased: swept,
    left: 0,
    examples: [],
  } as const
  if (versions === 'current' || !io.listVersions) return result
  const erasedVersions = await eraseListed(run, 'versions', location, before, async function* () {
    for await (const file of io.listVersions!(location, { signal })) {
      yield { path: file.location, size: file.size, version: file.version }
    }
  })
  return { ...result, versions: erasedVersions }
}

/**
 * Lists and erases until a listing finds nothing: one that goes on while files are deleted may pass over some. Gives how
 * many it has erased, and those before it.
 */
async function eraseListed(
  run: PurgeRun,
  stage: Stage,
  location: string,
  before: Tally,
  list: () => AsyncIterable<DoomedFile>,
): Promise<number> {
  let tally = before
  // Not a copy: the run's checkpoint moves on.
  const counting: PurgeRun = Object.create(run, {
    save: {
      value: (...[checkpoint, done = {}]: Parameters<PurgeRun['save']>) => {
        const isSaved = run.save(checkpoint, done)
        if (isSaved && done.tally) tally = addTallies(tally, done.tally)
        return isSaved
      },
    },
  })
  for (let listing = 1; ; listing++) {
    let residue: string | undefined
    const portions = async function* (): AsyncGenerator<Portion> {
      for await (const files of inBatches(list(), run.io.capabilities.deleteBatchSize)) {
        residue ??= files[0]?.path
        yield { files, checkpoint: () => run.checkpoint }
      }
    }
    await eraseFiles(counting, stage, portions())
    if (residue === undefined) break
    if (listing === maxListings) {
      throw new ResidueError(
        `Files are still listed at ${location} although they were erased ${listing} times, among them ${residue}`,
      )
    }
  }
  const { deleted = 0, absent = 0 } = tally.counts[stage] ?? {}
  return deleted + absent
}

async function report(
  run: PurgeRun,
  { location, owned }: PurgeLocation,
  policy: 'reported' | 'overlapped',
): Promise<VerifiedLocation> {
  const nothing = { location, owned, policy, erased: 0 }
  try {
    const found = await first(run.io.list(location, { signal: run.signal }), maxReported + 1)
    const complete = found.length <= maxReported
    const count = complete ? found.length : maxReported
    const examples = found.slice(0, maxExamples).map((file) => file.location)
    return { ...nothing, found: count, complete, left: count, examples }
  } catch (error) {
    // A location that this warehouse may not touch at all: there is nothing that it could say of it.
    if (!(error instanceof FileAccessError || error instanceof InvalidLocationError)) throw error
    return { ...nothing, found: 0, complete: false, left: 0, examples: [] }
  }
}

async function first(files: AsyncIterable<FileInfo>, count: number): Promise<FileInfo[]> {
  const taken: FileInfo[] = []
  for await (const file of files) {
    taken.push(file)
    if (taken.length >= count) break
  }
  return taken
}

/** Cuts a stream into arrays of so many. */
export async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
