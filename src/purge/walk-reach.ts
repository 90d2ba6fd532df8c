/** Every file that a purge would erase, in its order, for those that only look. */
import type { PathsDigest } from './certificate/certificate.ts'
import { type Checkpoint, checkpointOf } from './checkpoint.ts'
import type { DoomedFile } from './deletion/batch.ts'
import { viewMetadata } from './erase-reach.ts'
import type { Purge, PurgeRun, Stage } from './purger.ts'
import { readManifestLists } from './reach.ts'
import { readRoot } from './root.ts'
import { scanManifests } from './scan.ts'

/** Files of one stage, some or none. */
export interface ReachPart {
  readonly stage: Stage
  readonly files: readonly DoomedFile[]
  /** Would keep all of them: `gc.enabled=false`. Where there is none, `run.keep` tells. */
  readonly rule?: string
  /** With the end of a table's data stage: the digest of all its paths. */
  readonly paths?: PathsDigest | undefined
}

/**
 * The reach of a dropped table or view, leaves before parents, the root last; nothing of it is kept in memory but the names of
 * manifests and metadata. Throws PermanentPurgeError naming what is missing, damaged or encrypted, the storage's errors, and
 * the reason of `run.signal`.
 */
export async function* walkReach(purge: Purge, run: PurgeRun): AsyncGenerator<ReachPart> {
  for await (const part of purge.kind === 'view' ? viewReach(purge, run) : tableReach(purge, run)) {
    run.signal.throwIfAborted()
    yield part
  }
}

async function* viewReach(purge: Purge, run: PurgeRun): AsyncGenerator<ReachPart> {
  yield { stage: 'metadata', files: await viewMetadata(purge, run) }
  yield { stage: 'root', files: [sizeUnknown(purge.metadataLocation)] }
}

async function* tableReach(purge: Purge, { io, signal }: PurgeRun): AsyncGenerator<ReachPart> {
  const reach = await readRoot(io, purge, signal)
  const manifests = await readManifestLists(io, reach, signal)
  const kept = reach.ownsData ? {} : { rule: 'gc.enabled=false' }
  for await (const { files, checkpoint } of scanManifests(io, manifests, checkpointOf(undefined), signal)) {
    yield { stage: 'data', files, ...kept, paths: (checkpoint(files.length) as Checkpoint).paths }
  }
  yield { stage: 'manifests', files: manifests.map(({ path, length }) => ({ path, size: length })) }
  yield { stage: 'manifest-lists', files: reach.manifestLists.map(sizeUnknown) }
  yield { stage: 'statistics', files: reach.statistics }
  yield { stage: 'metadata', files: reach.olderMetadata.map(sizeUnknown) }
  yield { stage: 'root', files: [{ path: purge.metadataLocation, size: reach.rootSize }] }
}

function sizeUnknown(path: string): DoomedFile {
  return { path, size: undefined }
}
