/**
 * Erases the reach of a dropped table or view, leaves before parents, the root last. At every moment what is left can
 * be enumerated from what is left, so that an attempt that was cut off is simply begun again: the stage that had begun
 * tells which parents may be missing already.
 */
import type { ManifestFile } from '../iceberg/manifests/manifest-list.ts'
import { mapBounded } from '../storage/concurrency.ts'
import { joinLocation } from '../storage/location.ts'
import { StageEraser } from './eraser.ts'
import { type Purge, type PurgeRun, type Stage, stages } from './purger.ts'
import { readManifestLists, readPaths, readRoot } from './reach.ts'

/** Manifests read at a time, each feeding deletions. */
const manifestsInFlight = 4

/**
 * Throws PermanentPurgeError, RetryablePurgeError, the storage's errors, or the reason of `run.signal`. Nothing is
 * erased whose parents are not all there: on any error the rest can still be found.
 */
export async function eraseReach(purge: Purge, run: PurgeRun): Promise<void> {
  if (purge.kind === 'view') await eraseView(purge, run)
  else await eraseTable(purge, run)
  for (const { location, owned } of purge.locations) if (owned) await run.io.removeEmptyDirectories(location)
}

async function eraseTable(purge: Purge, run: PurgeRun): Promise<void> {
  const root = purge.metadataLocation
  // An earlier attempt had come to the root: it may have deleted it without living to tell.
  if (isPast(run, 'metadata') && !(await run.io.stat(root, { signal: run.signal }))) return
  const reach = await readRoot(run.io, root, run.signal)
  if (!isPast(run, 'manifests')) {
    const manifests = await readManifestLists(run.io, reach, run.signal)
    if (!isPast(run, 'data')) await eraseData(run, manifests, reach.ownsData)
    await eraseStage(
      run,
      'manifests',
      manifests.map(({ path }) => path),
    )
  }
  await eraseStage(run, 'manifest-lists', reach.manifestLists)
  await eraseStage(run, 'statistics', reach.statistics)
  await eraseStage(run, 'metadata', reach.olderMetadata)
  await eraseStage(run, 'root', [root])
}

async function eraseData(
  run: PurgeRun,
  manifests: readonly ManifestFile[],
  ownsData: boolean,
): Promise<void> {
  const eraser = new StageEraser(run, 'data', ownsData ? undefined : 'gc.enabled=false')
  await mapBounded(manifests, manifestsInFlight, async (manifest) => {
    for await (const paths of readPaths(run.io, manifest, run.signal)) await eraser.add(paths)
  })
  await eraser.end()
}

/**
 * A view is its metadata files. Older versions are not named by newer ones: where the catalog itself assigned the
 * location, all that its `metadata` folder holds belongs to the view.
 */
async function eraseView(purge: Purge, run: PurgeRun): Promise<void> {
  const root = purge.metadataLocation
  const older: string[] = []
  for (const { location, owned } of purge.locations) {
    if (!owned) continue
    for await (const file of run.io.list(joinLocation(location, 'metadata'), { signal: run.signal })) {
      if (file.location !== root && /\.metadata\.json(?:\.gz)?$/.test(file.location))
        older.push(file.location)
    }
  }
  await eraseStage(run, 'metadata', older)
  await eraseStage(run, 'root', [root])
}

async function eraseStage(run: PurgeRun, stage: Stage, paths: readonly string[]): Promise<void> {
  await run.begin(stage)
  const eraser = new StageEraser(run, stage)
  await eraser.add(paths)
  await eraser.end()
}

/** Whether an earlier attempt had finished this stage. */
function isPast(run: PurgeRun, stage: Stage): boolean {
  return stages.indexOf(run.stage) > stages.indexOf(stage)
}
