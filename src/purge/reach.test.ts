import { expect, it } from 'vitest'
import { readManifest } from '../iceberg/manifests/manifest.ts'
import type { ManifestFile } from '../iceberg/manifests/manifest-list.ts'
import type { FileIO } from '../storage/file-io.ts'
import { writeManifest } from '../testing/table-writer/manifest.ts'
import { readFiles } from './reach.ts'

const entries = Array.from({ length: 6 }, (_, index) => ({
  snapshotId: 1n,
  file: { path: `s3://bucket/table/data/${index}.parquet` },
}))
/** Six entries in two blocks. */
const whole = writeManifest({ formatVersion: 2, entries, blockSize: 3 })
/** Cut exactly between the two. */
const cut = whole.subarray(
  0,
  whole.indexOf(whole.subarray(-16), whole.indexOf(whole.subarray(-16)) + 16) + 16,
)

async function read(file: Buffer, stated: Pick<ManifestFile, 'entryCount' | 'length'>): Promise<number> {
  const io = {
    readStream: async function* () {
      yield* [file.subarray(0, 50), file.subarray(50)]
    },
  }
  const manifest: ManifestFile = { path: 's3://bucket/m.avro', content: 'data', encrypted: false, ...stated }
  const batches = readFiles(io as unknown as FileIO, manifest, new AbortController().signal)
  return (await Array.fromAsync(batches)).flat().length
}

it.each([
  ['more than there are: the count of the whole table', { entryCount: 64, length: whole.length }],
  ['fewer than there are: always one', { entryCount: 1, length: whole.length }],
  ['as many, and a length that lacks the last bytes', { entryCount: 6, length: whole.length - 20 }],
  ['as many, and more bytes', { entryCount: 6, length: whole.length + 20 }],
  ['more, and a length that lacks the last bytes', { entryCount: 7, length: whole.length - 20 }],
  ['nothing', { entryCount: undefined, length: undefined }],
  ['as many, and no length', { entryCount: 6, length: undefined }],
  ['fewer, and no length', { entryCount: 5, length: undefined }],
])('reads a manifest whose list counts %s', async (_, stated) => {
  expect(await read(whole, stated)).toBe(6)
})

it.each([
  ['as its list counts and measures it', { entryCount: 6, length: whole.length }],
  ['though its list counts too many', { entryCount: 64, length: whole.length }],
  ['though its list measures only one byte more than there is', { entryCount: 6, length: cut.length + 1 }],
  ['though its list gives no length', { entryCount: 6, length: undefined }],
])('notices a manifest that was cut between two blocks, %s', async (_, stated) => {
  // Nothing else shows it.
  expect((await Array.fromAsync(readManifest([cut]))).flat()).toHaveLength(3)
  await expect(read(cut, stated)).rejects.toThrow(
    /The manifest is cut short: s3:\/\/bucket\/m\.avro has 3 entries/,
  )
})
