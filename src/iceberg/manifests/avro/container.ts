/**
 * Avro object container files: a header with the schema, then blocks of records, each closed by the file's sync
 * marker. A file that is cut short or damaged is an error, never a shorter file: what its lost blocks named would be
 * orphaned. https://avro.apache.org/docs/1.12.0/specification/#object-container-files
 */
import { CorruptManifestError, UnsupportedManifestError } from '../errors.ts'
import { ByteSource } from './byte-source.ts'
import { codecNamed, maxBlockBytes } from './codecs.ts'

const magic = Buffer.from('Obj\x01')
const parquetMagic = Buffer.from('PAR1')
/** Bytes of all items of the header together. */
const maxHeaderBytes = 64 * 1024 * 1024

export interface AvroContainer {
  /** The schema of the records, as JSON. */
  readonly schema: string
  /** The blocks in order: number of records, and their bytes, decompressed. */
  blocks(): AsyncGenerator<AvroBlock>
  /** Lets go of the source, read to its end or not. */
  close(): Promise<void>
}

export interface AvroBlock {
  readonly count: number
  readonly bytes: Buffer
}

/** Reads the header. Throws CorruptManifestError, UnsupportedManifestError; what the source throws passes. */
export async function openContainer(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<AvroContainer> {
  const source = new ByteSource(chunks)
  try {
    return await readHeader(source)
  } catch (error) {
    await source.close()
    throw error
  }
}

async function readHeader(source: ByteSource): Promise<AvroContainer> {
  const start = await source.take(4)
  if (start.equals(parquetMagic)) {
    throw new UnsupportedManifestError('The manifest is a Parquet file: format version 4 is not supported')
  }
  if (!start.equals(magic)) throw new CorruptManifestError('The file does not begin as an Avro file')
  const metadata = await readMetadata(source)
  const sync = Buffer.from(await source.take(16))
  const schema = metadata.get('avro.schema')
  if (!schema) throw new CorruptManifestError('The Avro header holds no schema')
  const codec = codecNamed(metadata.get('avro.codec')?.toString() ?? 'null')
  return {
    schema: schema.toString(),
    async *blocks() {
      while (!(await source.atEnd())) {
        const count = await source.long()
        const size = await source.long()
        if (count < 0 || size < 0 || size > maxBlockBytes) {
          throw new CorruptManifestError(`A block claims ${count} records in ${size} bytes`)
        }
        const payload = await source.take(size)
        if (!(await source.take(16)).equals(sync)) {
          throw new CorruptManifestError('A block is not followed by the sync marker of its file')
        }
        yield { count, bytes: codec(payload) }
      }
    },
    close: () => source.close(),
  }
}

async function readMetadata(source: ByteSource): Promise<Map<string, Buffer>> {
  const metadata = new Map<string, Buffer>()
  let left = maxHeaderBytes
  const item = async () => {
    const length = await source.long()
    if (length < 0 || length > left) {
      throw new CorruptManifestError(`The Avro header claims an item of ${length} bytes`)
    }
    left -= length
    return Buffer.from(await source.take(length))
  }
  for (;;) {
    let count = await source.long()
    if (count === 0) return metadata
    if (count < 0) {
      count = -count
      await source.long()
    }
    for (; count > 0; count--) {
      const key = await item()
      metadata.set(key.toString(), await item())
    }
  }
}
