/** Which of the files that a table names are an engine's to erase. */
import { ancestorKeys, canonicalLocation, placeKey } from '../../storage/location.ts'
import type { Purge, PurgeRun } from '../purger.ts'

/**
 * Tells of a path whether it is in the table's own places, and not in one that another table has inside them: the deepest
 * place around it decides, as in `keep-others.ts`. Nobody can get a place inside this purge's own, so that the answer holds while an
 * engine is at work. Of what lies elsewhere, that could change at any moment: it is erased here, where the guard is asked.
 */
export function ownPlaces(
  locations: readonly string[],
  enclosed: readonly string[],
): (path: string) => boolean {
  const own = new Set(locations.map(placeKey))
  const others = new Set(enclosed.map(placeKey))
  let last = { directory: '', isOwn: false }
  return (path) => {
    const canonical = canonicalLocation(path)
    const directory = canonical.slice(0, canonical.lastIndexOf('/') + 1)
    if (directory !== last.directory) {
      const deepest = ancestorKeys(directory).findLast((key) => own.has(key) || others.has(key))
      last = { directory, isOwn: deepest !== undefined && own.has(deepest) }
    }
    return last.isOwn
  }
}

/** The same, of a purge: which files are its engine's to erase. */
export async function ownPlacesOf({ locations }: Purge, run: PurgeRun): Promise<(path: string) => boolean> {
  return ownPlaces(
    locations.map(({ location }) => location),
    await run.enclosed(),
  )
}
