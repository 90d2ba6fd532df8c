import type { Slot, SlotValue } from './avro/projection.ts'
import { RecordReader } from './avro/records.ts'
import { CorruptManifestError } from './errors.ts'

/** A manifest, as a manifest list names it. */
export interface ManifestFile {
  readonly path: string
  /** Bytes, as the list says; undefined where it does not. */
  readonly length: number | undefined
  readonly content: 'data' | 'deletes'
  /**
   * Entries, as the list counts them; undefined where it does not count them all. Some writers count wrongly: this is a
   * hint of how much work there is, and no proof of anything by itself.
   */
  readonly entryCount: number | undefined
  /** The manifest is encrypted. */
  readonly encrypted: boolean
}

/** Field ids of `manifest_file`: https://iceberg.apache.org/spec/#manifest-lists */
const slots: readonly Slot[] = [
  { fieldId: 500, name: 'manifest_path', kind: 'string' },
  { fieldId: 501, name: 'manifest_length', kind: 'number' },
  { fieldId: 517, name: 'content', kind: 'number' },
  { fieldId: 504, name: 'added_files_count', kind: 'number' },
  { fieldId: 505, name: 'existing_files_count', kind: 'number' },
  { fieldId: 506, name: 'deleted_files_count', kind: 'number' },
  { fieldId: 519, name: 'key_metadata', kind: 'present' },
]

const reader = new RecordReader(slots, manifestFile)

/**
 * Reads a manifest list: each manifest once, however often it is named. Throws CorruptManifestError for a file that is cut short or damaged, UnsupportedManifestError
 * for one that cannot be read at all.
 */
export async function readManifestList(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<ManifestFile[]> {
  const manifests = new Map<string, ManifestFile>()
  for await (const batch of reader.read(chunks)) {
    for (const manifest of batch) if (!manifests.has(manifest.path)) manifests.set(manifest.path, manifest)
  }
  return [...manifests.values()]
}

function manifestFile(
  path: SlotValue,
  length: SlotValue,
  content: SlotValue,
  added: SlotValue,
  existing: SlotValue,
  deleted: SlotValue,
  key: SlotValue,
): ManifestFile {
  if (typeof path !== 'string')
    throw new CorruptManifestError('A manifest list names a manifest without a path')
  const counts = [added, existing, deleted].filter(isCount)
  return {
    path,
    length: typeof length === 'number' ? length : undefined,
    content: content === 1 ? 'deletes' : 'data',
    entryCount: counts.length === 3 ? counts.reduce((sum, count) => sum + count) : undefined,
    encrypted: key === true,
  }
}

/** The specification makes counts `int`: what does not fit is no count, and neither is -1, by which some mean unknown. */
function isCount(value: SlotValue): value is number {
  return typeof value === 'number' && value >= 0 && value < 2 ** 31
}
