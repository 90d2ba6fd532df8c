import type { ManifestFile } from '../iceberg/manifests/manifest-list.ts'
import { mapBounded } from '../storage/concurrency.ts'
import type { FileIO } from '../storage/file-io.ts'
import { readFiles } from './reach.ts'

/** Manifests read at a time. */
const manifestsInFlight = 8

/**
 * Entries of a table's manifests, by what its manifest lists count. Manifests that nothing counts, such as those that the
 * root of a v1 table names itself, are read, until there are `enough`: then the number is too low. Throws as
 * {@link readFiles} does.
 */
export async function countEntries(
  io: FileIO,
  manifests: readonly ManifestFile[],
  enough: number,
  signal: AbortSignal,
): Promise<number> {
  let count = manifests.reduce((sum, { entryCount }) => sum + (entryCount ?? 0), 0)
  const uncounted = manifests.filter(({ entryCount }) => entryCount === undefined)
  await mapBounded(uncounted, manifestsInFlight, async (manifest) => {
    if (count >= enough) return
    for await (const files of readFiles(io, manifest, signal)) {
      count += files.length
      if (count >= enough) return
    }
  })
  return count
}
