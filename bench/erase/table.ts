import { forwardFileIO } from '../../src/storage/forward.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { s3Storage } from '../../src/testing/stores/fauxqs.ts'
import { type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'

/** Entries of one manifest: what Iceberg's writers make of 8 MB. */
const filesPerManifest = 20_000

/** A store under test. */
export interface Store {
  readonly endpoint: string
  /** Puts objects there that hold nothing. */
  seed(keys: readonly string[]): Promise<void>
  /** The objects that are there; and forgets them. */
  clear(): Promise<string[]>
  close(): Promise<void>
}

/**
 * Writes a table of so many data files: its metadata really, its data files as empty objects.
 *
 * @param dataOnly leaves the metadata out.
 */
export async function writeBenchTable(
  store: Store,
  name: string,
  files: number,
  dataOnly: boolean,
): Promise<WrittenTable> {
  const io = new S3FileIO(s3Storage(store.endpoint, 'test', 'test'))
  const data: string[] = []
  const cheap = forwardFileIO(io, {
    write: async (location, bytes, options) => {
      if (location.includes('/data/')) data.push(location.replace('s3://', ''))
      else if (!dataOnly) await io.write(location, bytes, options)
    },
  })
  const snapshots = Math.max(1, Math.round(files / filesPerManifest))
  const table = await writeTable(cheap, `s3://lake/${name}`, {
    snapshots,
    filesPerSnapshot: Math.round(files / snapshots),
  })
  await store.seed(data)
  await io.close()
  return table
}
