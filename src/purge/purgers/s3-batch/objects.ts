/** Which objects the jobs of a purge are for. */
import { canonicalLocation } from '../../../storage/location.ts'
import { objectOf } from '../../../storage/s3/object.ts'
import { doomedData, presence } from '../../elsewhere/erased-elsewhere.ts'
import { ownPlacesOf } from '../../elsewhere/own-places.ts'
import type { Purge, PurgeRun } from '../../purger.ts'
import type { ObjectName } from './manifest.ts'
import type { Plan } from './plan.ts'

/**
 * The doomed files in the table's own places. After an earlier plan, of these the ones that it says, as far as they are there
 * still: tasks of files that are gone would fail, and a job of which more than half of the tasks fail is given up. Throws as
 * `doomedData` does, and the storage's errors.
 */
export async function* objectsOf(
  purge: Purge,
  run: PurgeRun,
  before: Plan | undefined,
): AsyncGenerator<readonly ObjectName[]> {
  const isJobs = await ownPlacesOf(purge, run)
  const named = before?.next === 'failures' ? new Set(await run.reported('data')) : undefined
  const stillThere = before && (await presence(purge, run))
  for await (const files of doomedData(purge, run)) {
    run.signal.throwIfAborted()
    const paths = files
      .map(({ path }) => path)
      .filter((path) => isJobs(path) && (!named || named.has(canonicalLocation(path))))
    yield (stillThere ? await stillThere(paths) : paths).map(objectOf)
  }
}
