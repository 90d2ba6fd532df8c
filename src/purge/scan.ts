/** The files of all manifests, in one order that every attempt repeats, with what to save after each of them. */
import type { ManifestFile } from '../iceberg/manifests/manifest-list.ts'
import type { FileIO } from '../storage/file-io.ts'
import { PathDigest } from './certificate/path-digest.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { DoomedFile } from './deletion/batch.ts'
import type { Portion } from './deletion/erase-files.ts'
import { readFiles } from './reach.ts'

/** Manifests that are opened while the one before is read: their first block is there when its turn comes. */
const manifestsAhead = 8

type Reading = AsyncGenerator<readonly DoomedFile[]>

interface Opened {
  readonly reading: Reading
  /** Never rejects unseen: whoever takes it sees the error. */
  readonly first: Promise<IteratorResult<readonly DoomedFile[], void>>
}

/**
 * Reads the manifests from a checkpoint of the data stage on. Files before it are read for the digest, and not given
 * again. Throws as {@link readFiles} does.
 */
export async function* scanManifests(
  io: FileIO,
  manifests: readonly ManifestFile[],
  from: Checkpoint,
  signal: AbortSignal,
): AsyncGenerator<Portion> {
  const digest = new PathDigest(from.digest)
  let entries = from.entries
  const opened: Opened[] = []
  let next = from.manifest
  try {
    for (let at = from.manifest; at < manifests.length; at++) {
      while (next < manifests.length && opened.length < manifestsAhead) {
        opened.push(open(io, manifests[next++]!, signal))
      }
      const { reading, first } = opened.shift()!
      const before = { digest: digest.value, entries }
      let read = 0
      try {
        for (let result = await first; !result.done; result = await reading.next()) {
          const files = result.value
          digest.add(files.map(({ path }) => path))
          const done = at === from.manifest ? Math.min(Math.max(0, from.files - read), files.length) : 0
          const position = read + done
          read += files.length
          entries += files.length
          yield {
            files: done === 0 ? files : files.slice(done),
            checkpoint: (count) => ({ ...from, ...before, manifest: at, files: position + count }),
          }
        }
      } finally {
        await reading.return(undefined)
      }
      digest.end(manifests[at]!.path)
    }
  } finally {
    for (const { reading, first } of opened) {
      await first.catch(() => undefined)
      await reading.return(undefined)
    }
  }
  const end: Checkpoint = {
    ...from,
    manifest: manifests.length,
    files: 0,
    digest: digest.value,
    entries,
    paths: {
      algorithm: 'sha-256-manifest-chain',
      manifests: manifests.length,
      entries,
      digest: digest.value,
    },
  }
  yield { files: [], checkpoint: () => end }
}

function open(io: FileIO, manifest: ManifestFile, signal: AbortSignal): Opened {
  const reading = readFiles(io, manifest, signal)
  const first = reading.next()
  first.catch(() => undefined)
  return { reading, first }
}
