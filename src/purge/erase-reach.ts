/**
 * Erases the reach of a dropped table or view, leaves before parents, the root last. At every moment what is left can
 * be enumerated from what is left, so that an attempt that was cut off is simply begun again: the checkpoint tells which
 * parents may be missing already, and where to go on.
 */
import type { ManifestFile } from '../iceberg/manifests/manifest-list.ts'
import type { FileIO } from '../storage/file-io.ts'
import { forwardFileIO } from '../storage/forward.ts'
import { canonicalLocation, joinLocation } from '../storage/location.ts'
import { atStage, type Checkpoint, checkpointOf, isPast } from './checkpoint.ts'
import type { DoomedFile } from './deletion/batch.ts'
import { type EraseOptions, eraseFiles, type Portion } from './deletion/erase-files.ts'
import { PermanentPurgeError, type Purge, type PurgeResult, type PurgeRun, type Stage } from './purger.ts'
import { readManifestLists } from './reach.ts'
import { readRoot, type TableReach } from './root.ts'
import { scanManifests } from './scan.ts'

/** Gets the files of the data stage erased, in the form of {@link eraseFiles}. */
export type DataStage = (
  run: PurgeRun,
  stage: 'data',
  portions: AsyncIterable<Portion>,
  options: EraseOptions,
) => Promise<void>

export interface EraseReachOptions {
  /** How the data stage is done. @default eraseFiles */
  readonly data?: DataStage
  /** What happens to the files of a batch, each with its outcome, instead of their deletion. @default `run.io`'s own */
  readonly deleteFiles?: FileIO['deleteFiles']
}

/**
 * Throws PermanentPurgeError, RetryablePurgeError, the storage's errors, or the reason of `run.signal`. Nothing is
 * erased whose parents are not all there: on any error the rest can still be found.
 */
export async function eraseReach(
  purge: Purge,
  run: PurgeRun,
  options: EraseReachOptions = {},
): Promise<PurgeResult> {
  const { data = eraseFiles, deleteFiles } = options
  const io = deleteFiles ? forwardFileIO(run.io, { deleteFiles }) : run.io
  // Not a copy: the run's checkpoint moves on.
  const own: PurgeRun = Object.create(run, { io: { value: io } })
  if (purge.kind === 'view') await eraseView(purge, own)
  else await eraseTable(purge, own, data)
  return { kind: 'done', mayBeSwept: purge.kind === 'view' || checkpointOf(run.checkpoint).ownsData === true }
}

async function eraseTable(purge: Purge, run: PurgeRun, stage: DataStage): Promise<void> {
  const root = purge.metadataLocation
  const before = checkpointOf(run.checkpoint)
  // An earlier attempt had come to the root: it may have deleted it without living to tell.
  if (isPast(before, 'metadata') && !(await run.io.stat(root, { signal: run.signal }))) {
    await eraseStage(run, 'root', [sizeUnknown(root)])
    return
  }
  const reach = await readRoot(run.io, purge, run.signal)
  const saved: Checkpoint = { ...before, ownsData: reach.ownsData }
  run.save(saved)
  if (!isPast(saved, 'manifests')) {
    const manifests = await readManifestLists(run.io, reach, run.signal)
    run.expect(expectedFiles(reach, manifests))
    if (!isPast(saved, 'data')) await eraseData(run, saved, manifests, reach.ownsData, stage)
    await eraseStage(
      run,
      'manifests',
      manifests.map(({ path, length }) => ({ path, size: length })),
    )
  }
  await eraseStage(run, 'manifest-lists', reach.manifestLists.map(sizeUnknown))
  await eraseStage(run, 'statistics', reach.statistics)
  await eraseStage(run, 'metadata', reach.olderMetadata.map(sizeUnknown))
  await eraseStage(run, 'root', [{ path: root, size: reach.rootSize }])
}

async function eraseData(
  run: PurgeRun,
  from: Checkpoint,
  manifests: readonly ManifestFile[],
  ownsData: boolean,
  stage: DataStage,
): Promise<void> {
  const portions = scanManifests(run.io, manifests, from, run.signal)
  const isCounted = manifests.every(({ entryCount }) => entryCount !== undefined)
  const expected = isCounted ? entriesOf(manifests) : undefined
  await stage(run, 'data', portions, { rule: ownsData ? undefined : 'gc.enabled=false', expected })
}

/** A view is its metadata files. */
async function eraseView(purge: Purge, run: PurgeRun): Promise<void> {
  const root = purge.metadataLocation
  // As of a table's: in a wrong store nothing is found, and nothing is erased.
  const mayBeGone = isPast(checkpointOf(run.checkpoint), 'metadata')
  if (!mayBeGone && !(await run.io.stat(root, { signal: run.signal }))) {
    throw new PermanentPurgeError(`The root metadata file is missing: ${root}`)
  }
  const older = await viewMetadata(purge, run)
  run.expect(older.length + 1)
  // What was erased of a listing is not in the next one: there is nothing to pass over.
  run.save({ ...checkpointOf(run.checkpoint), files: 0 })
  await eraseStage(run, 'metadata', older)
  await eraseStage(run, 'root', [sizeUnknown(root)])
}

/**
 * The older metadata files of a view, which newer ones do not name: where the catalog itself assigned the location, all
 * that its `metadata` folder holds belongs to the view.
 */
export async function viewMetadata(purge: Purge, run: PurgeRun): Promise<DoomedFile[]> {
  const root = canonicalLocation(purge.metadataLocation)
  const older: DoomedFile[] = []
  for (const { location, owned } of purge.locations) {
    if (!owned) continue
    for await (const file of run.io.list(joinLocation(location, 'metadata'), { signal: run.signal })) {
      if (canonicalLocation(file.location) !== root && /\.metadata\.json(?:\.gz)?$/.test(file.location))
        older.push({ path: file.location, size: file.size })
    }
  }
  return older
}

/** Erases what is left of a stage. */
async function eraseStage(run: PurgeRun, stage: Stage, files: readonly DoomedFile[]): Promise<void> {
  const saved = checkpointOf(run.checkpoint)
  if (isPast(saved, stage)) return
  const checkpoint = saved.stage === stage ? saved : atStage(stage, saved)
  if (checkpoint !== saved) {
    // Durable before the first parent goes: only then may it be missing without alarm.
    run.save(checkpoint)
    await run.flush()
  }
  const portion: Portion = {
    files: files.slice(checkpoint.files),
    checkpoint: (count) => ({ ...checkpoint, files: checkpoint.files + count }),
  }
  await eraseFiles(run, stage, [portion])
}

function expectedFiles(reach: TableReach, manifests: readonly ManifestFile[]): number {
  const { manifestLists, statistics, olderMetadata } = reach
  return (
    entriesOf(manifests) +
    manifests.length +
    manifestLists.length +
    statistics.length +
    olderMetadata.length +
    1
  )
}

function entriesOf(manifests: readonly ManifestFile[]): number {
  return manifests.reduce((sum, { entryCount }) => sum + (entryCount ?? 0), 0)
}

function sizeUnknown(path: string): DoomedFile {
  return { path, size: undefined }
}
