/**
 * For purgers that hand the data stage over to an external engine: which files it has to erase, and the proof that it
 * did. The engine's word is not enough: the server looks for every file itself, and only then erases their parents.
 */
import { mapBounded } from '../../storage/concurrency.ts'
import type { FileIO } from '../../storage/file-io.ts'
import { canonicalLocation, placeKey } from '../../storage/location.ts'
import { checkpointOf } from '../checkpoint.ts'
import { Batch, type DoomedFile } from '../deletion/batch.ts'
import type { EraseOptions, Portion } from '../deletion/erase-files.ts'
import { type Purge, type PurgeRun, RetryablePurgeError } from '../purger.ts'
import { readManifestLists } from '../reach.ts'
import { readRoot } from '../root.ts'
import { scanManifests } from '../scan.ts'

/** Files of a listing that are remembered; where more lie, the table's files are asked for one by one. */
const maxListed = 50_000
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
 * A data stage for `eraseReach` that erases nothing, but makes sure that everything is gone, and saves how far it is.
 * Throws StillThereError otherwise.
 */
export function verifyErased(purge: Purge) {
  return async (
    run: PurgeRun,
    stage: 'data',
    portions: AsyncIterable<Portion>,
    { rule }: EraseOptions,
  ): Promise<void> => {
    const stillThere = await presence(purge, run)
    for await (const { files, checkpoint } of portions) {
      run.signal.throwIfAborted()
      const batch = new Batch(stage)
      for (const file of files) batch.add(file)
      batch.keep(rule === undefined ? await run.keep(batch.paths) : files.map(() => rule))
      const left = await stillThere(batch.paths)
      if (left.length > 0) throw new StillThereError(left.slice(0, maxExamples))
      batch.account(batch.paths.map(() => ({ outcome: 'deleted' })))
      run.progress(batch.counts())
      run.save(checkpoint(files.length), { tally: batch.tally() })
    }
  }
}

/** Tells at which of some paths a file is: from one listing of the table's locations, as far as that goes. */
export async function presence(
  purge: Purge,
  run: PurgeRun,
): Promise<(paths: readonly string[]) => Promise<string[]>> {
  const isThere = await presenceOfOne(purge, run)
  return async (paths) => {
    const there = await mapBounded(paths, statsInFlight, isThere)
    return paths.filter((_, index) => there[index])
  }
}

async function presenceOfOne(
  { locations }: Purge,
  { io, signal }: PurgeRun,
): Promise<(path: string) => Promise<boolean>> {
  const ask = async (path: string) => (await io.stat(path, { signal })) !== undefined
  if (io.capabilities.cheapStat) return ask
  const places = locations.map(({ location }) => placeKey(location))
  const listed = await listAll(io, places, signal)
  if (!listed) return ask
  return async (path) => {
    const canonical = canonicalLocation(path)
    return places.some((place) => canonical.startsWith(place)) ? listed.has(canonical) : await ask(path)
  }
}

async function listAll(
  io: FileIO,
  places: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const listed = new Set<string>()
  for (const place of places) {
    for await (const file of io.list(place, { signal })) {
      if (listed.size === maxListed) return undefined
      listed.add(canonicalLocation(file.location))
    }
  }
  return listed
}
