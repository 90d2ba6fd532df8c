/**
 * After the reach: what else lies at the table's own locations? Late commits, metadata older than the log, files of
 * writers that died. Where the catalog itself assigned the location, and no other table overlaps it, they are erased;
 * elsewhere they are reported. A second listing proves that they are gone.
 */
import type { Database } from '../database/database.ts'
import { findOverlaps } from '../database/places.ts'
import { FileAccessError, type FileInfo, type FileIO, InvalidLocationError } from '../storage/file-io.ts'
import { containerOf } from '../storage/location.ts'
import type { StoreLimits, VerifiedLocation } from './certificate/certificate.ts'
import type { DoomedFile } from './deletion/batch.ts'
import { eraseFiles, type Portion } from './deletion/erase-files.ts'
import {
  PermanentPurgeError,
  type Purge,
  type PurgeLocation,
  type PurgeRun,
  RetryablePurgeError,
  type Stage,
  type Tally,
} from './purger.ts'
import { readRoot } from './root.ts'

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
 */
export async function sweep(
  database: Database,
  purge: Purge,
  run: PurgeRun,
  policy: SweepPolicy,
  versions: VersionPolicy,
): Promise<VerifiedLocation[]> {
  const verified: VerifiedLocation[] = []
  for (const place of purge.locations) {
    const overlapped = await isOverlapped(database, purge, place)
    const erases = !overlapped && (policy === 'all' || (policy === 'owned' && place.owned))
    verified.push(
      erases
        ? await eraseAll(run, place, versions)
        : await report(run, place, overlapped ? 'overlapped' : 'reported'),
    )
    if (place.owned) await run.io.removeEmptyDirectories(place.location)
  }
  return verified
}

/**
 * Erases a table whose reach cannot be read, by its locations: those that the catalog assigned, whole. Only ever on an
 * operator's word. Throws PermanentPurgeError when there is none that may be erased so, or the root can be read and says
 * that the data is not the table's.
 */
export async function sweepWhole(
  database: Database,
  purge: Purge,
  run: PurgeRun,
  versions: VersionPolicy,
): Promise<VerifiedLocation[]> {
  const owned = purge.locations.filter((place) => place.owned)
  if (owned.length === 0) {
    throw new PermanentPurgeError(
      'The catalog assigned none of the locations of this table, so there is nothing that may be erased by its location. Remove the files by hand, then cancel or retry the purge.',
    )
  }
  for (const place of owned) {
    if (await isOverlapped(database, purge, place)) {
      throw new PermanentPurgeError(
        `Another table overlaps ${place.location}: it cannot be erased as a whole.`,
      )
    }
  }
  if (!(await mayOwnData(run, purge))) {
    throw new PermanentPurgeError('The table says gc.enabled=false: its data is kept.')
  }
  const verified = await sweep(database, purge, run, 'owned', versions)
  const root: Portion = {
    files: [{ path: purge.metadataLocation, size: undefined }],
    checkpoint: () => run.checkpoint,
  }
  await eraseFiles(run, 'root', [root])
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

/** Unknown counts as yes: an operator has decided that the root cannot be read. */
async function mayOwnData(run: PurgeRun, purge: Purge): Promise<boolean> {
  try {
    const { ownsData } = await readRoot(run.io, purge, run.signal)
    return ownsData
  } catch (error) {
    if (error instanceof PermanentPurgeError) return true
    throw error
  }
}

/** By a place that lies inside, is the same, or lies around. Nobody can add one while the purge is unfinished. */
async function isOverlapped(database: Database, purge: Purge, { location }: PurgeLocation): Promise<boolean> {
  const overlaps = await findOverlaps(database.reader, location)
  return overlaps.some(({ holder }) => !(holder.kind === 'purge' && holder.purgeId === purge.id))
}

async function eraseAll(
  run: PurgeRun,
  { location, owned }: PurgeLocation,
  versions: VersionPolicy,
): Promise<VerifiedLocation> {
  const { io, signal } = run
  const found = await eraseListed(run, 'sweep', location, async function* () {
    for await (const file of io.list(location, { signal })) yield { path: file.location, size: file.size }
  })
  const result = {
    location,
    owned,
    policy: 'erased',
    found,
    complete: true,
    erased: found,
    left: 0,
    examples: [],
  } as const
  if (versions === 'current' || !io.listVersions) return result
  const erasedVersions = await eraseListed(run, 'versions', location, async function* () {
    for await (const file of io.listVersions!(location, { signal })) {
      yield { path: file.location, size: file.size, version: file.version }
    }
  })
  return { ...result, versions: erasedVersions }
}

/**
 * Lists and erases until a listing finds nothing: one that goes on while files are deleted may pass over some. Gives how
 * many it has found.
 */
async function eraseListed(
  run: PurgeRun,
  stage: Stage,
  location: string,
  list: () => AsyncIterable<DoomedFile>,
): Promise<number> {
  let found = 0
  for (let listing = 1; ; listing++) {
    let residue: string | undefined
    const portions = async function* (): AsyncGenerator<Portion> {
      for await (const files of inBatches(list(), run.io.capabilities.deleteBatchSize)) {
        residue ??= files[0]?.path
        found += files.length
        yield { files, checkpoint: () => run.checkpoint }
      }
    }
    await eraseFiles(run, stage, portions())
    if (residue === undefined) return found
    if (listing === maxListings) {
      throw new ResidueError(
        `Files are still listed at ${location} although they were erased ${listing} times, among them ${residue}`,
      )
    }
  }
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

async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
