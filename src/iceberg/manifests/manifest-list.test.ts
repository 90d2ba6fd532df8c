import { describe, expect, it } from 'vitest'
import { type AvroCodec, writeAvroFile } from '../../testing/table-writer/avro-file.ts'
import { type ListedManifest, writeManifestList } from '../../testing/table-writer/manifest-list.ts'
import { CorruptManifestError } from './errors.ts'
import { readManifestList } from './manifest-list.ts'

const manifests: readonly ListedManifest[] = [
  {
    path: 's3://b/t/m1.avro',
    length: 2 ** 40,
    snapshotId: 2n ** 63n - 1n,
    added: 1,
    existing: 20,
    deleted: 300,
  },
  {
    path: 's3://b/t/m2.avro',
    length: 7,
    snapshotId: 1n,
    content: 'deletes',
    added: 0,
    existing: 0,
    deleted: 0,
    keyMetadata: Buffer.from('key'),
  },
]

describe.each([1, 2, 3] as const)('a v%i manifest list', (formatVersion) => {
  it.each<AvroCodec>(['null', 'deflate', 'snappy', 'zstandard'])(
    'compressed with %s is read',
    async (codec) => {
      expect(await readManifestList([writeManifestList({ formatVersion, manifests, codec })])).toEqual([
        { path: 's3://b/t/m1.avro', length: 2 ** 40, content: 'data', entryCount: 321, encrypted: false },
        {
          path: 's3://b/t/m2.avro',
          length: 7,
          content: formatVersion === 1 ? 'data' : 'deletes',
          entryCount: 0,
          encrypted: true,
        },
      ])
    },
  )

  it('may be empty', async () => {
    expect(await readManifestList([writeManifestList({ formatVersion, manifests: [] })])).toEqual([])
  })
})

it('does not claim a number of entries when a v1 list leaves one count out', async () => {
  const [manifest] = await readManifestList([
    writeManifestList({
      formatVersion: 1,
      manifests: [{ path: 'm', length: 1, snapshotId: 1n, added: 3, existing: 4 }],
    }),
  ])
  expect(manifest?.entryCount).toBeUndefined()
})

it('does not count entries of lists that write -1 for an unknown count', async () => {
  const [manifest] = await readManifestList([
    writeManifestList({
      formatVersion: 2,
      manifests: [{ path: 'm', length: 1, snapshotId: 1n, added: -1, existing: 4, deleted: 0 }],
    }),
  ])
  expect(manifest?.entryCount).toBeUndefined()
})

it('refuses a list that names a manifest without a path', async () => {
  const file = writeAvroFile({
    schema: {
      type: 'record',
      name: 'm',
      fields: [{ name: 'manifest_length', type: 'long', 'field-id': 501 }],
    },
    records: [{ manifest_length: 1 }],
    codec: 'null',
    metadata: {},
  })
  await expect(readManifestList([file])).rejects.toThrow(CorruptManifestError)
})

it('closes its source, read to the end or damaged', async () => {
  const file = writeManifestList({ formatVersion: 2, manifests })
  for (const bytes of [file, Buffer.concat([file, Buffer.alloc(40)])]) {
    let closed = false
    async function* chunks() {
      try {
        yield bytes
        yield Buffer.alloc(1)
      } finally {
        closed = true
      }
    }
    await expect(readManifestList(chunks())).rejects.toThrow(CorruptManifestError)
    expect(closed).toBe(true)
  }
})

it('does not believe a count that is no int', async () => {
  const counts = ['added', 'existing', 'deleted'].map((name, index) => ({
    name: `${name}_files_count`,
    type: 'long',
    'field-id': 504 + index,
  }))
  const list = (count: number) =>
    writeAvroFile({
      schema: {
        type: 'record',
        name: 'm',
        fields: [{ name: 'manifest_path', type: 'string', 'field-id': 500 }, ...counts],
      },
      records: [
        { manifest_path: 'm', added_files_count: count, existing_files_count: 0, deleted_files_count: 0 },
      ],
      codec: 'null',
      metadata: {},
    })
  expect(await readManifestList([list(2 ** 31 - 1)])).toMatchObject([{ entryCount: 2 ** 31 - 1 }])
  expect(await readManifestList([list(2 ** 31)])).toMatchObject([{ entryCount: undefined }])
})
