/**
 * The reach: every file reachable from a metadata file, leaves before parents. Memory grows with the number of
 * manifests, never with the number of files.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { CorruptManifestError, UnsupportedManifestError } from '../iceberg/manifests/errors.ts'
import { readManifest } from '../iceberg/manifests/manifest.ts'
import { type ManifestFile, readManifestList } from '../iceberg/manifests/manifest-list.ts'
import { mapBounded } from '../storage/concurrency.ts'
import { type FileIO, FileNotFoundError } from '../storage/file-io.ts'
import { sortedByPath } from './certificate/path-digest.ts'
import type { DoomedFile } from './deletion/batch.ts'
import { PermanentPurgeError } from './purger.ts'
import type { TableReach } from './root.ts'

/** Manifest lists read at a time. */
const listsInFlight = 8

/**
 * All manifests of a table, each once, however many snapshots name it, in the byte order of their paths: every attempt
 * has them in the same order. Every manifest list is read before anything is erased. Throws PermanentPurgeError naming the list or manifest that is missing, corrupt or encrypted.
 */
export async function readManifestLists(
  io: FileIO,
  reach: TableReach,
  signal: AbortSignal,
): Promise<ManifestFile[]> {
  const manifests = new Map<string, ManifestFile>()
  for (const path of reach.embeddedManifests) {
    manifests.set(path, { path, length: undefined, content: 'data', entryCount: undefined, encrypted: false })
  }
  await mapBounded(reach.manifestLists, listsInFlight, async (list) => {
    const listed = await naming('manifest list', list, () =>
      readManifestList(io.readStream(list, { signal })),
    )
    for (const manifest of listed) {
      if (manifest.encrypted) {
        throw new PermanentPurgeError(`The manifest is encrypted: ${manifest.path}, named by ${list}`)
      }
      if (!manifests.has(manifest.path)) manifests.set(manifest.path, manifest)
    }
  })
  return sortedByPath(manifests.values())
}

/**
 * The files that one manifest lists, entries of every status, in batches. Throws PermanentPurgeError naming the manifest
 * when it is missing, corrupt, encrypted, or cut off between two blocks, as {@link isCut} tells.
 */
export async function* readFiles(
  io: Pick<FileIO, 'readStream'>,
  manifest: ManifestFile,
  signal: AbortSignal,
): AsyncGenerator<readonly DoomedFile[]> {
  let bytes = 0
  const stored = async function* () {
    for await (const chunk of io.readStream(manifest.path, { signal })) {
      bytes += chunk.length
      yield chunk
    }
  }
  const batches = readManifest(stored())
  let count = 0
  try {
    for (;;) {
      const { value: entries, done } = await naming('manifest', manifest.path, () => batches.next())
      if (done) break
      count += entries.length
      if (entries.some(({ encrypted }) => encrypted)) {
        throw new PermanentPurgeError(`The manifest lists encrypted files: ${manifest.path}`)
      }
      yield entries.map(({ path, fileSize }) => ({ path, size: fileSize }))
      // A block from memory resolves at once: let what shares the thread have its turn.
      await breathe()
    }
  } finally {
    await batches.return(undefined)
  }
  if (isCut(manifest, count, bytes)) {
    const { path, entryCount, length } = manifest
    const size = length === undefined ? '' : ` in ${length} bytes`
    throw new PermanentPurgeError(
      `The manifest is cut short: ${path} has ${count} entries in ${bytes} bytes, its manifest list counts ${entryCount}${size}`,
    )
  }
}

/**
 * Whether a manifest that is sound up to its last byte has lost its end. Every block proves itself; a cut exactly between
 * two blocks shows only in what the manifest list says of the whole. Writers get that wrong: some count the entries of the
 * whole table, or always one, some note the length before the last bytes are written. So one number alone proves nothing:
 * there must be fewer entries *and* fewer bytes than stated. More of either is no damage. Where a list states no length,
 * the count decides; where it does not count, nothing can be known.
 *
 * A cut in a manifest whose length is stated too small as well passes unseen. What its lost entries name lies, as a rule,
 * in the table's location, where the sweep finds it.
 */
function isCut({ entryCount, length }: ManifestFile, count: number, bytes: number): boolean {
  if (entryCount === undefined || count >= entryCount) return false
  return length === undefined || bytes < length
}

async function naming<T>(what: string, location: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof FileNotFoundError) {
      throw new PermanentPurgeError(`The ${what} is missing: ${location}`, { cause: error })
    }
    if (error instanceof CorruptManifestError || error instanceof UnsupportedManifestError) {
      throw new PermanentPurgeError(`The ${what} cannot be read: ${location}: ${error.message}`, {
        cause: error,
      })
    }
    throw error
  }
}
