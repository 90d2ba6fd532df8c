import { inflateRawSync, zstdDecompressSync } from 'node:zlib'
import avro from 'avsc'
import snappy from 'snappyjs'
import { type AvroCodec, exactLong } from './avro-file.ts'

const header = avro.Type.forSchema({
  type: 'record',
  name: 'header',
  fields: [
    { name: 'magic', type: { type: 'fixed', name: 'magic', size: 4 } },
    { name: 'metadata', type: { type: 'map', values: 'bytes' } },
    { name: 'sync', type: { type: 'fixed', name: 'sync', size: 16 } },
  ],
})
const block = avro.Type.forSchema(
  {
    type: 'record',
    name: 'block',
    fields: [
      { name: 'count', type: 'long' },
      { name: 'payload', type: 'bytes' },
      { name: 'sync', type: 'sync' },
    ],
  } as avro.Schema,
  { registry: { sync: avro.Type.forSchema({ type: 'fixed', name: 'sync', size: 16 }) } },
)

const decompressors: Readonly<Record<AvroCodec, (bytes: Buffer) => Buffer>> = {
  null: (bytes) => bytes,
  deflate: (bytes) => inflateRawSync(bytes),
  snappy: (bytes) => Buffer.from(snappy.uncompress(bytes.subarray(0, -4))),
  zstandard: (bytes) => zstdDecompressSync(bytes),
}

export interface AvroFileContent<T> {
  /** The writer's schema. */
  readonly schema: avro.Schema
  readonly metadata: Readonly<Record<string, Buffer>>
  /** Decompressed blocks. */
  readonly blocks: readonly { readonly count: number; readonly bytes: Buffer }[]
  /** All records, every field; longs as bigints. */
  records(): T[]
}

/** Reads a whole Avro object container file with avsc: slow and simple, to compare other readers with. */
export function readAvroFile<T>(file: Buffer): AvroFileContent<T> {
  const { value, offset } = header.decode(file, 0)
  const schema = JSON.parse(value.metadata['avro.schema'].toString()) as avro.Schema
  const decompress = decompressors[value.metadata['avro.codec'].toString() as AvroCodec]
  const blocks: { count: number; bytes: Buffer }[] = []
  for (let at = offset; at < file.length; ) {
    const next = block.decode(file, at)
    blocks.push({ count: next.value.count, bytes: decompress(next.value.payload) })
    at = next.offset
  }
  return {
    schema,
    metadata: value.metadata,
    blocks,
    records: () => {
      const type = avro.Type.forSchema(schema, { registry: { long: exactLong } })
      return blocks.flatMap(({ count, bytes }) => decodeAll<T>(type, count, bytes))
    },
  }
}

function decodeAll<T>(type: avro.Type, count: number, bytes: Buffer): T[] {
  const records: T[] = []
  for (let at = 0; records.length < count; ) {
    const { value, offset } = type.decode(bytes, at)
    records.push(value)
    at = offset
  }
  return records
}
