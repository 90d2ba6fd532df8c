import avro from 'avsc'
import { openContainer } from '../../src/iceberg/manifests/avro/container.ts'
import { readManifest } from '../../src/iceberg/manifests/manifest.ts'
import { readAvroFile } from '../../src/testing/table-writer/read-avro-file.ts'

export interface Reader {
  readonly name: string
  /** Reads a manifest to its end. The number of entries. */
  read(file: Buffer): Promise<number> | number
}

export const readers: readonly Reader[] = [
  { name: 'Moulin', read: moulin },
  { name: 'avsc, every field', read: (file) => avsc(file, undefined) },
  { name: 'avsc, projected', read: (file) => avsc(file, needed) },
  { name: 'inflate alone', read: inflate },
]

async function moulin(file: Buffer): Promise<number> {
  let entries = 0
  for await (const batch of readManifest([file])) entries += batch.length
  return entries
}

/** What the purge reads of an entry, as an Avro reader's schema. */
const needed = {
  type: 'record',
  name: 'manifest_entry',
  fields: [
    { name: 'status', type: 'int' },
    {
      name: 'data_file',
      type: {
        type: 'record',
        name: 'r2',
        fields: [
          { name: 'content', type: 'int' },
          { name: 'file_path', type: 'string' },
          { name: 'file_size_in_bytes', type: 'long' },
          { name: 'key_metadata', type: ['null', 'bytes'] },
        ],
      },
    },
  ],
} satisfies avro.Schema

/** With avsc's own longs, which are faster than exact ones: the manifest has no number beyond 2^53. */
function avsc(file: Buffer, projection: avro.Schema | undefined): number {
  const { schema, blocks } = readAvroFile(file)
  const writer = avro.Type.forSchema(schema)
  const reader = projection ? avro.Type.forSchema(projection) : writer
  const resolver = projection && reader.createResolver(writer)
  let entries = 0
  for (const { count, bytes } of blocks) {
    for (let read = 0, at = 0; read < count; read++, entries++) at = reader.decode(bytes, at, resolver).offset
  }
  return entries
}

/** As Moulin does it, without looking at the bytes. */
async function inflate(file: Buffer): Promise<number> {
  let entries = 0
  const container = await openContainer([file])
  for await (const { count } of container.blocks()) entries += count
  return entries
}
