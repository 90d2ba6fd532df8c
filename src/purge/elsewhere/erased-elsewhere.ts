/**
 * For purgers that hand the data stage over to an external engine: which files it has to erase, and the proof that it
 * did. The engine's word is not enough: the server looks for every file itself, and only then erases their parents.
 */
import { mapBounded } from '../../storage/concurrency.ts'
import type { FileIO } from '../../storage/file-io.ts'
import { canonicalLocation, placeKey } from '../../storage/location.ts'
import { checkpointOf } from '../checkpoint.ts'
import { Batch, type DoomedFile } from '../deletion/batch.ts'
import { type EraseOptions, eraseFiles, type Portion } from '../deletion/erase-files.ts'
import { type Purge, type PurgeRun, RetryablePurgeError } from '../purger.ts'
import { readManifestLists } from '../reach.ts'
import { readRoot } from '../root.ts'
import { scanManifests } from '../scan.ts'
import { PathFilter } from './path-filter.ts'
import { type Said, Split } from './split.ts'

/** Files of others, for each of the table's, that are listed before these are asked for one by one. A page of a listing has a thousand. */
const listedPerFile = 100
/** So many are listed in any case. */
const minListed = 50_000
/** Files asked for at a time. */
const statsInFlight = 16
/** Files that are named when they are left. */
const maxExamples = 20

/** Files of the data stage that are there although an engine was to erase them. */
export class StillThereError extends RetryablePurgeError {
  /** The first of them. */
  readonly examples: readonly string[]

  constructor(examples: readonly string[]) {
    super(`Files that were to be erased are still there, among them ${examples[0]}`)
    this.examples = examples
  }
}

/**
 * The files that an external engine has to erase: those that the manifests name, without those that a rule keeps, in the
 * order of every attempt. None for a view and for a table with gc.enabled=false. Throws as `readRoot`, `readManifestLists`
 * and `readFiles` do.
 */
export async function* doomedData(purge: Purge, run: PurgeRun): AsyncGenerator<readonly DoomedFile[]> {
  if (purge.kind === 'view') return
  const reach = await readRoot(run.io, purge, run.signal)
  if (!reach.ownsData) return
  const manifests = await readManifestLists(run.io, reach, run.signal)
  for await (const { files } of scanManifests(run.io, manifests, checkpointOf(undefined), run.signal)) {
    const rules = await run.keep(files.map(({ path }) => path))
    const doomed = files.filter((_, index) => rules[index] === undefined)
    if (doomed.length > 0) yield doomed
  }
}

/**
 * A data stage for `eraseReach` that erases nothing but what an earlier attempt has tried to erase here, makes sure that
 * everything is gone, and saves how far it is. Throws StillThereError otherwise, and as `eraseFiles` does.
 *
 * @param said how many of the files the engines have deleted: the others count as absent. @default all
 */
export function verifyErased(purge: Purge, said?: Said) {
  return async (
    run: PurgeRun,
    stage: 'data',
    portions: AsyncIterable<Portion>,
    options: EraseOptions,
  ): Promise<void> => {
    const { rule, expected } = options
    await eraseFiles(run, stage, [], options)
    const stillThere = await presence(purge, run, expected)
    const split = new Split(said, run.checkpoint)
    for await (const { files, checkpoint } of portions) {
      run.signal.throwIfAborted()
      const batch = new Batch(stage)
      for (const file of files) batch.add(file)
      batch.keep(rule === undefined ? await run.keep(batch.paths) : files.map(() => rule))
      const left = await stillThere(batch.paths)
      if (left.length > 0) throw new StillThereError(left.slice(0, maxExamples))
      batch.account(batch.paths.map(() => ({ outcome: 'deleted' })))
      const tally = split.apply(batch.tally())
      run.progress(tally.counts)
      run.save(split.within(checkpoint(files.length)), { tally })
    }
  }
}

/**
 * Tells at which of some paths a file is. What a listing of the table's locations has not is not there; for what it may have,
 * and for what lies elsewhere, the store is asked. So is it for everything, where so much lies that asking is cheaper.
 *
 * @param expected files that will be asked for. @default many
 */
export async function presence(
  purge: Purge,
  run: PurgeRun,
  expected = Number.POSITIVE_INFINITY,
): Promise<(paths: readonly string[]) => Promise<string[]>> {
  const isThere = await presenceOfOne(purge, run, expected)
  return async (paths) => {
    const there = await mapBounded(paths, statsInFlight, isThere)
    return paths.filter((_, index) => there[index])
  }
}

async function presenceOfOne(
  { locations }: Purge,
  { io, signal }: PurgeRun,
  expected: number,
): Promise<(path: string) => Promise<boolean>> {
  const ask = async (path: string) => (await io.stat(path, { signal })) !== undefined
  if (io.capabilities.cheapStat) return ask
  const places = locations.map(({ location }) => placeKey(location))
  const listed = await listAll(io, places, expected, signal)
  if (!listed) return ask
  return async (path) => {
    const canonical = canonicalLocation(path)
    const isListed = places.some((place) => canonical.startsWith(place))
    return isListed && !listed.mayHave(canonical) ? false : await ask(path)
  }
}

/** Undefined when there is more than is worth it for so many files. */
async function listAll(
  io: FileIO,
  places: readonly string[],
  expected: number,
  signal: AbortSignal,
): Promise<PathFilter | undefined> {
  const listed = new PathFilter()
  const worthIt = Math.max(minListed, expected * listedPerFile)
  let others = 0
  for (const place of places) {
    for await (const file of io.list(place, { signal })) {
      const canonical = canonicalLocation(file.location)
      // Manifests are there as long as the data stage is not over, however many they are.
      if (!canonical.startsWith(`${place}metadata/`) && ++others > worthIt) return undefined
      listed.add(canonical)
    }
  }
  return listed
}
