/**
 * How the data stage of a purge is cut into tasks. The plan is saved in the purge's checkpoint before the first task is
 * published, so that the ledger's row is the outbox: whoever claims the purge after a crash publishes the same again.
 * Manifests are not in it: every attempt reads the manifest lists in the same order.
 */
import type { ManifestFile } from '../../../iceberg/manifests/manifest-list.ts'
import { PermanentPurgeError, type Purge } from '../../purger.ts'
import { type Task, type TaskManifest, version } from './messages.ts'

/** JSON of one task's manifests, in characters. A broker takes messages of 1 MiB by default. */
const maxTaskSize = 512 * 1024

export interface Plan {
  /** Epoch of the attempt that has made this generation: it grows, and is never used twice. */
  readonly generation: number
  /** Of each task its first manifest, in the order of the manifest lists. */
  readonly starts: readonly number[]
  /** All manifests. */
  readonly manifests: number
  /** Tasks of this generation. */
  readonly tasks: readonly number[]
  /** Milliseconds since the epoch; null while a task may not be published. */
  readonly published: number | null
  /** A consumer has left files to the server. */
  readonly left: boolean
  /** Entries of all manifests; null where the manifest lists do not say. */
  readonly entries: number | null
  /** For what it waits; null while it has not waited too long, and after every receipt. */
  readonly silence: Silence | null
  /** The furthest that a generation in which tasks failed has come; null before the first. */
  readonly best: Progress | null
  /** What receipts of older generations say, of all that they are believed in; null once they were found to be wrong. */
  readonly said: Outcomes | null
}

/** Tasks that were published again without a receipt of any. */
export interface Silence {
  readonly tasks: number
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly redeliveries: number
}

/** How far a generation has come: further is who has fewer tasks that failed, or as many with more files that are done. */
export interface Progress {
  readonly tasks: number
  readonly done: number
}

/** Files, as receipts count them. */
export interface Outcomes {
  /** Deleted, in tasks that failed later, too. */
  readonly deleted: number
  readonly bytes: number
  /** Of the tasks that are done: deleted, absent or kept. */
  readonly settled: number
}

/** The plan that a checkpoint holds, which it does until the data stage is done. */
export function planOf(checkpoint: unknown): Plan | undefined {
  const plan = (checkpoint as { readonly kafka?: Plan } | null | undefined)?.kafka
  return plan && { ...nothingYet, ...plan }
}

/** What a plan of an older release does not have. */
const nothingYet = { entries: null, silence: null, best: null, said: null }

/** Cuts the manifests into tasks of about so many entries. */
export function makePlan(manifests: readonly ManifestFile[], generation: number, taskEntries: number): Plan {
  const starts: number[] = []
  let entries = Number.POSITIVE_INFINITY
  let size = 0
  for (const [index, manifest] of manifests.entries()) {
    const more = manifest.entryCount ?? taskEntries
    const length = JSON.stringify(taskManifest(manifest)).length + 1
    if (entries + more > taskEntries || size + length > maxTaskSize) {
      starts.push(index)
      entries = 0
      size = 0
    }
    entries += more
    size += length
  }
  return {
    generation,
    starts,
    manifests: manifests.length,
    tasks: starts.map((_, task) => task),
    published: null,
    left: false,
    entries: entriesOf(manifests),
    silence: null,
    best: null,
    said: { deleted: 0, bytes: 0, settled: 0 },
  }
}

/** The same cut for a new generation, in which these tasks are to be done. */
export function nextGeneration(plan: Plan, generation: number, tasks: readonly number[]): Plan {
  return { ...plan, generation, tasks, published: null, silence: null }
}

/** The silence after which so many tasks are published once more. */
export function longerSilence({ silence, published }: Plan, tasks: number): Silence | null {
  if (published === null) return null
  return silence?.tasks === tasks
    ? { ...silence, redeliveries: silence.redeliveries + 1 }
    : { tasks, since: published, redeliveries: 1 }
}

/** Whether a generation has come further than any before it. */
export function isFurther({ tasks, done }: Progress, best: Progress | null): boolean {
  return best === null || tasks < best.tasks || (tasks === best.tasks && done > best.done)
}

/**
 * The tasks, those of the most entries first. Where data and delete manifests take turns, tasks in their own order would give
 * every second partition nearly nothing.
 */
export function heaviestFirst(
  { starts }: Plan,
  manifests: readonly ManifestFile[],
  tasks: readonly number[],
): number[] {
  const entries = (task: number) =>
    manifests.slice(starts[task], starts[task + 1]).reduce((sum, { entryCount = 0 }) => sum + entryCount, 0)
  const weights = new Map(tasks.map((task) => [task, entries(task)]))
  return tasks.toSorted((a, b) => weights.get(b)! - weights.get(a)!)
}

/**
 * The messages of tasks. Throws PermanentPurgeError when the manifest lists do not name as many manifests as when the plan
 * was made.
 */
export function* taskMessages(
  purge: Purge,
  plan: Plan,
  manifests: readonly ManifestFile[],
  { tasks, keep, until }: { tasks: readonly number[]; keep: readonly string[]; until: number },
): Generator<Task> {
  if (manifests.length !== plan.manifests) {
    throw new PermanentPurgeError(
      `The manifest lists name ${manifests.length} manifests, and named ${plan.manifests} when the tasks were planned`,
    )
  }
  for (const task of tasks) {
    yield {
      version,
      purge: purge.id,
      generation: plan.generation,
      task,
      warehouse: purge.warehouse,
      namespace: purge.namespace,
      name: purge.name,
      uuid: purge.uuid ?? null,
      root: purge.metadataLocation,
      locations: purge.locations.map(({ location }) => location),
      keep,
      until: new Date(until).toISOString(),
      manifests: manifests.slice(plan.starts[task], plan.starts[task + 1]).map(taskManifest),
    }
  }
}

function entriesOf(manifests: readonly ManifestFile[]): number | null {
  if (manifests.some(({ entryCount }) => entryCount === undefined)) return null
  return manifests.reduce((sum, { entryCount }) => sum + entryCount!, 0)
}

function taskManifest({ path, length, entryCount }: ManifestFile): TaskManifest {
  return { path, length: length ?? null, entries: entryCount ?? null }
}
