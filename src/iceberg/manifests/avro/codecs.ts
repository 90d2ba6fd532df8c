import { crc32, inflateRawSync, zstdDecompressSync } from 'node:zlib'
import snappy from 'snappyjs'
import { CorruptManifestError, UnsupportedManifestError } from '../errors.ts'

/** Decompresses the payload of one block. */
export type Codec = (payload: Buffer) => Buffer

/** Bytes of one block, before and after decompression. Writers cut blocks at 16 KB to a few MB; some never, up to tens of MB. */
export const maxBlockBytes = 128 * 1024 * 1024

/** Output is collected in pieces of `chunkSize`: one is enough for most blocks, and small blocks want small ones. */
function bounds(payload: Buffer): { maxOutputLength: number; chunkSize: number } {
  return {
    maxOutputLength: maxBlockBytes,
    chunkSize: Math.min(Math.max(4 * payload.length, 4 * 1024), 64 * 1024),
  }
}

const codecs: Readonly<Record<string, Codec>> = {
  null: (payload) => payload,
  deflate: (payload) => inflateRawSync(payload, bounds(payload)),
  snappy: decompressSnappy,
  zstandard: (payload) => zstdDecompressSync(payload, bounds(payload)),
}

/** The codec of an Avro header. Throws UnsupportedManifestError for others than null, deflate, snappy, zstandard. */
export function codecNamed(name: string): Codec {
  const codec = Object.hasOwn(codecs, name) ? codecs[name] : undefined
  if (!codec) {
    throw new UnsupportedManifestError(
      `The Avro codec ${JSON.stringify(name)} is not supported: null, deflate, snappy and zstandard are`,
    )
  }
  return (payload) => {
    try {
      return codec(payload)
    } catch (error) {
      if (error instanceof CorruptManifestError) throw error
      throw new CorruptManifestError(`A block cannot be decompressed: ${(error as Error).message}`)
    }
  }
}

/** Avro appends the CRC-32 of the uncompressed bytes, big endian. */
function decompressSnappy(payload: Buffer): Buffer {
  if (payload.length < 4) throw new CorruptManifestError('A snappy block is too short for its checksum')
  const bytes = Buffer.from(snappy.uncompress(payload.subarray(0, -4), maxBlockBytes))
  if (crc32(bytes) !== payload.readUInt32BE(payload.length - 4)) {
    throw new CorruptManifestError('A snappy block does not match its checksum')
  }
  return bytes
}
