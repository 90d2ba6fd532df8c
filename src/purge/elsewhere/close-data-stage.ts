/** The data stage, once an engine has done its part of it. */
import { type EraseOptions, eraseFiles, type Portion } from '../deletion/erase-files.ts'
import type { DataStage } from '../erase-reach.ts'
import type { Purge, PurgeRun } from '../purger.ts'
import { verifyErased } from './erased-elsewhere.ts'

/**
 * Erases what is not the engine's, and makes sure that everything is gone. Throws StillThereError for a file that the engine
 * has left, and as `eraseFiles` does.
 *
 * @param isEngines whether a file is the engine's to erase.
 */
export function closeDataStage(purge: Purge, isEngines: (path: string) => boolean): DataStage {
  return async (run, stage, portions, options) => {
    await verifyErased(purge)(run, stage, withoutOthers(run, portions, options, isEngines), options)
  }
}

/** The same portions, after the files that are not the engine's are erased. */
async function* withoutOthers(
  run: PurgeRun,
  portions: AsyncIterable<Portion>,
  options: EraseOptions,
  isEngines: (path: string) => boolean,
): AsyncGenerator<Portion> {
  for await (const portion of portions) {
    const files = options.rule === undefined ? portion.files.filter(({ path }) => !isEngines(path)) : []
    if (files.length > 0) {
      await eraseFiles(onlyNaming(run), 'data', [{ files, checkpoint: () => run.checkpoint }])
    }
    yield portion
  }
}

/** Names the failures; the verification, which sees the same files again, counts the rest. So does the next attempt: no name is needed to find them. */
function onlyNaming(run: PurgeRun): PurgeRun {
  const own: Pick<PurgeRun, 'progress' | 'reported' | 'save'> = {
    progress: () => undefined,
    reported: async () => [],
    save: (_checkpoint, { failures = [] } = {}) => run.save(run.checkpoint, { failures }),
  }
  return Object.assign(Object.create(run) as PurgeRun, own)
}
