/** What an attempt saves, for another one to go on from. */
import type { PathsDigest } from './certificate/certificate.ts'
import { type Stage, stages } from './purger.ts'

export interface Checkpoint {
  /** The stage that has begun: all before it are done. */
  readonly stage: Stage
  /** Files of the stage that are done, in their order; in the data stage, of the manifest at `manifest`. */
  readonly files: number
  /** Data stage: manifests before this one are done. */
  readonly manifest: number
  /** Data stage: digest of the manifests before it. */
  readonly digest: string | undefined
  /** Data stage: entries of the manifests before it. */
  readonly entries: number
  /** Once the data stage is done. */
  readonly paths: PathsDigest | undefined
  /** `gc.enabled` of the root; undefined before it was read. */
  readonly ownsData: boolean | undefined
}

const start: Checkpoint = {
  stage: 'data',
  files: 0,
  manifest: 0,
  digest: undefined,
  entries: 0,
  paths: undefined,
  ownsData: undefined,
}

/** Reads what {@link PurgeRun.checkpoint} holds; the beginning when it holds nothing that can be read. */
export function checkpointOf(saved: unknown): Checkpoint {
  const { stage } = (saved ?? {}) as Partial<Checkpoint>
  if (stage === undefined || !stages.includes(stage)) return start
  return { ...start, ...(saved as Partial<Checkpoint>) }
}

/** The beginning of a stage that comes after what was saved. */
export function atStage(stage: Stage, { paths, ownsData }: Checkpoint): Checkpoint {
  return { ...start, stage, paths, ownsData }
}

/** Whether everything of this stage is done. */
export function isPast(checkpoint: Checkpoint, stage: Stage): boolean {
  return stages.indexOf(checkpoint.stage) > stages.indexOf(stage)
}
