/** The tables of the contract suite, and what can be wrong with one. */
import type { FormatVersion } from '../../iceberg/metadata/model.ts'
import { type Stage, stages } from '../../purge/purger.ts'
import type { FileIO } from '../../storage/file-io.ts'
import type { TableOptions, WrittenTable } from '../table-writer/table.ts'

/** By what a test is called. */
export const tableShapes: readonly (readonly [string, TableOptions])[] = [
  ...([1, 2, 3] as FormatVersion[]).map((formatVersion) => [`v${formatVersion}`, { formatVersion }] as const),
  ['v1 with embedded manifests', { formatVersion: 1, embedManifests: true }],
  ['uncompressed', { codec: 'null' }],
  ['snappy', { codec: 'snappy' }],
  ['zstandard', { codec: 'zstandard' }],
  ['gzip metadata', { gzip: true }],
  ['without snapshots', { snapshots: 0 }],
  ['many files', { snapshots: 4, filesPerSnapshot: 700 }],
]

/** What happens to a manifest list or a manifest: it is missing, cut short, or something else. */
export function damages(io: FileIO): [stage: Stage, harm: (path: string) => Promise<void>][] {
  return (['manifests', 'manifest-lists'] as const).flatMap((stage) => [
    [stage, async (path) => void (await io.deleteFiles([path]))],
    [stage, async (path) => io.write(path, (await io.read(path)).subarray(0, -20))],
    [stage, async (path) => io.write(path, Buffer.from('garbage'))],
  ])
}

/** Every file of a table or view, leaves before parents. */
export function allOf({ files }: Pick<WrittenTable, 'files'>): string[] {
  return stages.flatMap((stage) => files[stage])
}

export async function listed(io: FileIO, location: string): Promise<string[]> {
  const found: string[] = []
  for await (const file of io.list(location)) found.push(file.location)
  return found.toSorted()
}
