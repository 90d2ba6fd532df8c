/** What is left to the server once an engine has done its part. */
import { checkpointOf, isPast } from '../checkpoint.ts'
import { eraseReach } from '../erase-reach.ts'
import type { Inspection, PathFailure, Purge, PurgeResult, PurgeRun } from '../purger.ts'
import { closeDataStage } from './close-data-stage.ts'
import type { StillThereError } from './erased-elsewhere.ts'
import { ownPlacesOf } from './own-places.ts'

/** Whether the engine's part is over: an earlier attempt had seen that every data file is gone. */
export function isDataErased({ checkpoint }: PurgeRun): boolean {
  return isPast(checkpointOf(checkpoint), 'data')
}

/**
 * Erases the data files that lie outside the table's own places, makes sure that the engine's are gone, and erases their
 * parents. Throws StillThereError while one of the engine's is there, and as `eraseReach` does.
 */
export async function closeReach(purge: Purge, run: PurgeRun): Promise<PurgeResult> {
  return await eraseReach(purge, run, { data: closeDataStage(purge, await ownPlacesOf(purge, run)) })
}

/** The answer of `inspect` when the reach is erased. */
export function finished(result: PurgeResult): Inspection {
  return { state: 'finished', mayBeSwept: result.kind === 'done' && result.mayBeSwept === true }
}

/** The files that an engine has left, to be named with this message. */
export function stillThere({ examples }: StillThereError, message: string): PathFailure[] {
  return examples.map((path) => ({ path, stage: 'data', outcome: 'failed', code: 'StillThere', message }))
}
