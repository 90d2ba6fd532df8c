import avro from 'avsc'
import { openContainer } from '../../src/iceberg/manifests/avro/container.ts'
import { readManifest } from '../../src/iceberg/manifests/manifest.ts'
import { readAvroFile } from '../../src/testing/table-writer/read-avro-file.ts'

export interface Reading {
  readonly entries: number
  /** Seconds, user and system. */
  readonly cpu: number
}

export interface Reader {
  readonly name: string
  /** Reads the manifest to its end. */
  read(): Promise<Reading>
}

/** The readers of this process. */
export function ownReaders(file: Buffer): Reader[] {
  return [
    reader('Moulin', file, moulin),
    reader('avsc, every field', file, avscReader()),
    reader('avsc, projected', file, avscReader(needed)),
    reader('inflate alone', file, inflate),
  ]
}

/** @param count reads a manifest to its end, and gives the number of its entries. */
function reader(name: string, file: Buffer, count: (file: Buffer) => Promise<number> | number): Reader {
  return {
    name,
    read: async () => {
      const start = process.cpuUsage()
      const entries = await count(file)
      const { user, system } = process.cpuUsage(start)
      return { entries, cpu: (user + system) / 1e6 }
    },
  }
}

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

/**
 * Types and resolvers are made once for a schema, as Moulin does it. With avsc's own longs, which are faster than exact
 * ones: the manifest has no number beyond 2^53.
 */
function avscReader(projection?: avro.Schema): (file: Buffer) => number {
  const decoders = new Map<string, (bytes: Buffer, at: number) => number>()
  return (file) => {
    const { schema, blocks } = readAvroFile(file)
    const key = JSON.stringify(schema)
    const decode = decoders.get(key) ?? avscDecoder(schema, projection)
    decoders.set(key, decode)
    let entries = 0
    for (const { count, bytes } of blocks) {
      for (let read = 0, at = 0; read < count; read++, entries++) at = decode(bytes, at)
    }
    return entries
  }
}

/** Decodes one record. The byte after it. */
function avscDecoder(schema: avro.Schema, projection?: avro.Schema): (bytes: Buffer, at: number) => number {
  const writer = avro.Type.forSchema(schema)
  if (projection === undefined) return (bytes, at) => writer.decode(bytes, at).offset
  const reader = avro.Type.forSchema(projection)
  const resolver = reader.createResolver(writer)
  return (bytes, at) => reader.decode(bytes, at, resolver).offset
}

/** As Moulin does it, without looking at the bytes. */
async function inflate(file: Buffer): Promise<number> {
  let entries = 0
  const container = await openContainer([file])
  for await (const { count } of container.blocks()) entries += count
  return entries
}
