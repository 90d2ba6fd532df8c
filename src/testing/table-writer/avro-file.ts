import { randomBytes } from 'node:crypto'
import { crc32, deflateRawSync, zstdCompressSync } from 'node:zlib'
import avro from 'avsc'
import snappy from 'snappyjs'

export type AvroCodec = 'null' | 'deflate' | 'snappy' | 'zstandard'

/** Longs as bigints or safe numbers; avsc's own type rounds beyond 2^53. */
export const exactLong = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint | number) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(BigInt(value))
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint' || Number.isSafeInteger(value),
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

const compressors: Readonly<Record<AvroCodec, (bytes: Buffer) => Buffer>> = {
  null: (bytes) => bytes,
  deflate: (bytes) => deflateRawSync(bytes),
  snappy: (bytes) => {
    const checksum = Buffer.alloc(4)
    checksum.writeUInt32BE(crc32(bytes))
    return Buffer.concat([snappy.compress(bytes), checksum])
  },
  zstandard: (bytes) => zstdCompressSync(bytes),
}

export interface AvroFile {
  readonly schema: object
  readonly records: readonly object[]
  readonly codec: AvroCodec
  /** Header entries beside schema and codec. */
  readonly metadata: Readonly<Record<string, string>>
  /** Records of one block. @default 500 */
  readonly blockSize?: number
}

/** An Avro object container file, encoded by avsc. */
export function writeAvroFile(file: AvroFile): Buffer {
  const type = avro.Type.forSchema(file.schema as avro.Schema, { registry: { long: exactLong } })
  const sync = randomBytes(16)
  const header = {
    'avro.schema': JSON.stringify(file.schema),
    'avro.codec': file.codec,
    ...file.metadata,
  }
  const parts: Buffer[] = [Buffer.from('Obj\x01'), long(Object.keys(header).length)]
  for (const [key, value] of Object.entries(header)) parts.push(bytes(key), bytes(value))
  parts.push(long(0), sync)
  const blockSize = file.blockSize ?? 500
  for (let at = 0; at < file.records.length; at += blockSize) {
    const records = file.records.slice(at, at + blockSize)
    const payload = compressors[file.codec](Buffer.concat(records.map((record) => type.toBuffer(record))))
    parts.push(long(records.length), long(payload.length), payload, sync)
  }
  return Buffer.concat(parts)
}

function bytes(text: string): Buffer {
  const encoded = Buffer.from(text)
  return Buffer.concat([long(encoded.length), encoded])
}

function long(value: number): Buffer {
  const encoded: number[] = []
  let rest = value * 2
  while (rest > 127) {
    encoded.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...encoded, rest])
}
