/** The files of all manifests, in one order that every attempt repeats, with what to save after each of them. */
import type { ManifestFile } from '../iceberg/manifests/manifest-list.ts'
import { BegunStream } from '../storage/begun-stream.ts'
import type { FileIO } from '../storage/file-io.ts'
import { PathDigest } from './certificate/path-digest.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Portion } from './deletion/erase-files.ts'
import { readFiles } from './reach.ts'

/** Manifests that are opened while the one before is read: their first bytes are there when their turn comes. */
const manifestsAhead = 8
/** Bytes of each that are read before its turn. They stay as they are stored: what unpacks to much is unpacked alone. */
const bytesAhead = 1024 * 1024

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
  const opened: BegunStream[] = []
  let next = from.manifest
  try {
    for (let at = from.manifest; at < manifests.length; at++) {
      while (next < manifests.length && opened.length < manifestsAhead) {
        opened.push(new BegunStream(io.readStream(manifests[next++]!.path, { signal }), bytesAhead))
      }
      const stream = opened.shift()!
      const reading = readFiles({ readStream: () => stream.chunks() }, manifests[at]!, signal)
      const before = { digest: digest.value, entries }
      let read = 0
      try {
        for await (const files of reading) {
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
        await stream.close()
      }
      digest.end(manifests[at]!.path)
    }
  } finally {
    for (const stream of opened) await stream.close()
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
