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
 * when it is missing, corrupt, encrypted, or has not as many entries as its manifest list says.
 */
export async function* readFiles(
  io: FileIO,
  manifest: ManifestFile,
  signal: AbortSignal,
): AsyncGenerator<readonly DoomedFile[]> {
  const batches = readManifest(io.readStream(manifest.path, { signal }))
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
  if (manifest.entryCount !== undefined && count !== manifest.entryCount) {
    throw new PermanentPurgeError(
      `The manifest is corrupt: ${manifest.path} has ${count} entries, its manifest list counts ${manifest.entryCount}`,
    )
  }
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
