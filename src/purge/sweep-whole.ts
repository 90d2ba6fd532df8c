/** Erasing a table whose reach cannot be read any more, by its locations. Only ever on an operator's word. */
import type { Database } from '../database/database.ts'
import { canonicalLocation } from '../storage/location.ts'
import type { VerifiedLocation } from './certificate/certificate.ts'
import { checkpointOf, isPast } from './checkpoint.ts'
import { eraseFiles } from './deletion/erase-files.ts'
import { isOverlapped } from './guard.ts'
import type { Lease } from './ledger/claims.ts'
import { PermanentPurgeError, type Purge, type PurgeRun, stages } from './purger.ts'
import { readManifestLists } from './reach.ts'
import { readRoot } from './root.ts'
import { scanManifests } from './scan.ts'
import { inBatches, sweep, type VersionPolicy } from './sweep.ts'

/** Files of one question to the guard. */
const filesAtATime = 1_000
/** Files that a certificate names. */
const maxExamples = 20

/**
 * Erases the locations that the catalog assigned, whole, and what earlier attempts have named. Where it assigned none, nothing but
 * these names and the root is erased, and nothing may be left at the table's locations.
 *
 * Throws PermanentPurgeError, which tells what can be done instead, when the reach can be read, or says that the data is not the
 * table's, when another table overlaps, when files are left where none may be erased, and when nothing was ever found: that is the
 * wrong store. Throws as `eraseFiles` does while something that is named cannot be erased.
 */
export async function sweepWhole(
  database: Database,
  { purge, begun, tally }: Pick<Lease, 'purge' | 'begun' | 'tally'>,
  run: PurgeRun,
  versions: VersionPolicy,
): Promise<VerifiedLocation[]> {
  const owned = purge.locations.filter((place) => place.owned)
  for (const place of owned) {
    if (await isOverlapped(database.reader, purge, place)) {
      throw new PermanentPurgeError(
        `Another table overlaps ${place.location}: it cannot be erased as a whole.`,
      )
    }
  }
  await refuseReadable(purge, run)
  const isRootThere = (await run.io.stat(purge.metadataLocation, { signal: run.signal })) !== undefined
  await eraseNamed(run)
  const verified =
    owned.length > 0
      ? await sweep(database, purge, run, 'owned', versions, tally)
      : await verifyEmpty(purge, run, begun)
  if (!begun && !isRootThere && verified.every(({ found }) => found === 0)) throw nothingFound(purge)
  const root = { path: purge.metadataLocation, size: undefined }
  await eraseFiles(run, 'root', [{ files: [root], checkpoint: () => run.checkpoint }])
  return verified
}

/** What can be read is erased by reading: a location tells nothing of the files outside of it. */
async function refuseReadable(purge: Purge, run: PurgeRun): Promise<void> {
  const isReadable =
    purge.kind === 'view'
      ? (await run.io.stat(purge.metadataLocation, { signal: run.signal })) !== undefined
      : await isTableReadable(purge, run)
  if (!isReadable) return
  throw new PermanentPurgeError(
    'All that the metadata names can still be found by reading it: retry the purge as it is, not by location. What it could not erase is named.',
  )
}

/** As far as another attempt would read it. Throws PermanentPurgeError when the table does not own its data. */
async function isTableReadable(purge: Purge, run: PurgeRun): Promise<boolean> {
  const { io, signal } = run
  const from = checkpointOf(run.checkpoint)
  let ownsData = from.ownsData ?? true
  try {
    if (isPast(from, 'metadata') && !(await io.stat(purge.metadataLocation, { signal }))) return true
    const reach = await readRoot(io, purge, signal)
    ownsData = reach.ownsData
    if (!isPast(from, 'manifests')) {
      const manifests = await readManifestLists(io, reach, signal)
      if (!isPast(from, 'data')) for await (const _ of scanManifests(io, manifests, from, signal));
    }
    return true
  } catch (error) {
    if (!(error instanceof PermanentPurgeError)) throw error
    if (!ownsData) throw new PermanentPurgeError('The table says gc.enabled=false: its data is kept.')
    return false
  }
}

/** Files that are known by their names only, wherever they lie. What a listing had found comes again with the next one. */
async function eraseNamed(run: PurgeRun): Promise<void> {
  for (const stage of stages) {
    if (stage !== 'sweep' && stage !== 'versions') await eraseFiles(run, stage, [])
  }
}

/** Makes sure that there is nothing at locations in which nothing may be erased, but for the root, and what others have there. */
async function verifyEmpty(
  { metadataLocation, locations }: Purge,
  run: PurgeRun,
  begun: boolean,
): Promise<VerifiedLocation[]> {
  const root = canonicalLocation(metadataLocation)
  const verified: VerifiedLocation[] = []
  for (const { location, owned } of locations) {
    let found = 0
    const examples: string[] = []
    const listing = run.io.list(location, { signal: run.signal })
    for await (const files of inBatches(listing, filesAtATime)) {
      const paths = files.map((file) => file.location).filter((path) => canonicalLocation(path) !== root)
      const rules = await run.keep(paths)
      const left = paths.find((_, index) => rules[index] === undefined)
      if (left !== undefined) throw filesLeft(location, left, begun)
      found += paths.length
      examples.push(...paths.slice(0, maxExamples - examples.length))
    }
    verified.push({
      location,
      owned,
      policy: 'reported',
      found,
      complete: true,
      erased: 0,
      left: found,
      examples,
    })
  }
  return verified
}

function filesLeft(location: string, example: string, begun: boolean): PermanentPurgeError {
  const otherwise = begun ? '' : ', or hold the purge and cancel it, to give them up'
  return new PermanentPurgeError(
    `The catalog did not assign ${location}, so that it erases nothing there by location, and files are left, among them ${example}. Remove those of this table by hand, then retry by location again${otherwise}.`,
  )
}

function nothingFound({ metadataLocation }: Purge): PermanentPurgeError {
  return new PermanentPurgeError(
    `Nothing at all was found, neither ${metadataLocation} nor a file at the table's locations: is this the right store? If somebody else has removed the files, hold the purge and cancel it.`,
  )
}
