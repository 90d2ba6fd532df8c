import type { Slot, SlotValue } from './avro/projection.ts'
import { RecordReader } from './avro/records.ts'
import { CorruptManifestError } from './errors.ts'

/** A data or delete file, as a manifest lists it. Entries of every status count: a deleted one's file may be there. */
export interface ManifestEntry {
  readonly status: 'existing' | 'added' | 'deleted'
  readonly content: 'data' | 'position-deletes' | 'equality-deletes'
  readonly path: string
  /** Bytes of the file; undefined where the manifest does not say. */
  readonly fileSize: number | undefined
  /** The file is encrypted. */
  readonly encrypted: boolean
}

/** Field ids of `manifest_entry` and its `data_file`: https://iceberg.apache.org/spec/#manifests */
const slots: readonly Slot[] = [
  { fieldId: 0, name: 'status', kind: 'number' },
  {
    fieldId: 2,
    name: 'data_file',
    kind: 'record',
    slots: [
      { fieldId: 134, name: 'content', kind: 'number' },
      { fieldId: 100, name: 'file_path', kind: 'string' },
      { fieldId: 104, name: 'file_size_in_bytes', kind: 'number' },
      { fieldId: 131, name: 'key_metadata', kind: 'present' },
    ],
  },
]

const reader = new RecordReader(slots, manifestEntry)

const statuses = ['existing', 'added', 'deleted'] as const
const contents = ['data', 'position-deletes', 'equality-deletes'] as const

/**
 * Streams the entries of a manifest in batches: memory does not grow with the file.
 *
 * Throws CorruptManifestError for a file that is cut short or damaged, UnsupportedManifestError for one that cannot be
 * read at all. A file that was cut exactly between two blocks looks whole: the caller compares the number of entries
 * and of bytes with the manifest list's.
 */
export function readManifest(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<ManifestEntry[]> {
  return reader.read(chunks)
}

function manifestEntry(
  status: SlotValue,
  content: SlotValue,
  path: SlotValue,
  fileSize: SlotValue,
  key: SlotValue,
): ManifestEntry {
  if (typeof path !== 'string') throw new CorruptManifestError('A manifest entry has no file path')
  return {
    status: known(statuses, status ?? 0, 'status'),
    content: known(contents, content ?? 0, 'content'),
    path,
    fileSize: typeof fileSize === 'number' ? fileSize : undefined,
    encrypted: key === true,
  }
}

function known<T>(names: readonly T[], value: unknown, what: string): T {
  const name = names[value as number]
  if (name === undefined)
    throw new CorruptManifestError(`A manifest entry has an unknown ${what}: ${String(value)}`)
  return name
}
