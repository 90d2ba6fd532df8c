import { joinLocation } from '../../../storage/location.ts'
import { type Checkpoint, checkpointOf } from '../../checkpoint.ts'
import { Batch, type DoomedFile } from '../../deletion/batch.ts'
import { viewMetadata } from '../../erase-reach.ts'
import type { IcebergPurger, Purge, PurgeResult, PurgeRun, Stage } from '../../purger.ts'
import { readManifestLists } from '../../reach.ts'
import { readRoot } from '../../root.ts'
import { scanManifests } from '../../scan.ts'
import { addTallies, emptyTally } from '../../tally.ts'
import { PlanWriter } from './plan-writer.ts'

/** The name of the rule in the account. */
const rule = 'audit-only'

/**
 * Erases nothing. Writes which files a purge would erase, and finishes with every path kept: the catalog forgets the table,
 * its location is free again, and its files are somebody else's to keep or to delete.
 */
export class AuditOnlyPurger implements IcebergPurger {
  readonly name = 'audit-only'
  readonly waits = false
  readonly erases = false
  readonly #planLocation: string

  /** @param planLocation where plans go, a folder for each purge. */
  constructor(planLocation: string) {
    this.#planLocation = planLocation
  }

  /** Not resumed but begun again when it was cut off: it only reads, and writes the same plan. */
  async purge(purge: Purge, run: PurgeRun): Promise<PurgeResult> {
    const plan = new PlanWriter(run.io, joinLocation(this.#planLocation, purge.id))
    let tally = emptyTally
    let checkpoint = checkpointOf(undefined)
    for await (const part of reachOf(purge, run)) {
      run.signal.throwIfAborted()
      const rules = part.rule
        ? part.files.map(() => part.rule)
        : await run.keep(part.files.map(({ path }) => path))
      await plan.add(part.stage, part.files, rules)
      const batch = new Batch(part.stage)
      for (const file of part.files) batch.add(file)
      batch.keep(part.files.map(() => rule))
      run.progress(batch.counts())
      tally = addTallies(tally, batch.tally())
      checkpoint = part.checkpoint ?? checkpoint
    }
    const attachment = await plan.end()
    run.save(checkpoint, { tally })
    return { kind: 'done', attachments: [attachment] }
  }
}

interface PlannedFiles {
  readonly stage: Stage
  readonly files: readonly DoomedFile[]
  /** What would keep all of them; without it the guard is asked. */
  readonly rule?: string
  readonly checkpoint?: Checkpoint
}

/** Everything that a purge would erase, in its order. */
async function* reachOf(purge: Purge, run: PurgeRun): AsyncGenerator<PlannedFiles> {
  const { io, signal } = run
  if (purge.kind === 'view') {
    yield { stage: 'metadata', files: await viewMetadata(purge, run) }
    yield { stage: 'root', files: [sizeUnknown(purge.metadataLocation)] }
    return
  }
  const reach = await readRoot(io, purge, signal)
  const manifests = await readManifestLists(io, reach, signal)
  const kept = reach.ownsData ? {} : { rule: 'gc.enabled=false' }
  for await (const { files, checkpoint } of scanManifests(io, manifests, checkpointOf(undefined), signal)) {
    yield { stage: 'data', files, ...kept, checkpoint: checkpoint(files.length) as Checkpoint }
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
