import { CorruptManifestError } from '../errors.ts'
import { openContainer } from './container.ts'
import { compileDecoder, type RecordDecoder, type Slot, type SlotValue } from './projection.ts'
import { parseAvroSchema } from './schema.ts'

/** Records of one batch, at most. PyIceberg writes a block for each record, others one block for all. */
export const batchSize = 500

/** Decoders to keep, at most: tables have one schema for each partition spec, format version and writer. */
const maxDecoders = 16

/**
 * Reads Avro files of one kind. Keeps the decoders of the schemas that it met last: a table's manifests share a few
 * schemas, and a new decoder runs several times slower until V8 has optimized it.
 */
export class RecordReader<T> {
  readonly #slots: readonly Slot[]
  readonly #make: (...values: SlotValue[]) => T
  /** By schema, the one used last at the end. */
  readonly #decoders = new Map<string, RecordDecoder<T>>()

  /** @param make makes a record of the values of all value slots, in their order. */
  constructor(slots: readonly Slot[], make: (...values: SlotValue[]) => T) {
    this.#slots = slots
    this.#make = make
  }

  /**
   * Streams the records of a file: one block and one batch in memory at a time, however many there are.
   *
   * Throws CorruptManifestError for a file that is cut short or damaged, UnsupportedManifestError for one that cannot be
   * read at all; what the source throws passes. The source is closed, read to its end or not.
   */
  async *read(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<T[]> {
    const container = await openContainer(chunks)
    try {
      const decode = this.#decoder(container.schema)
      let batch: T[] = []
      for await (const { bytes, count } of container.blocks()) {
        let at = 0
        for (let left = count; left > 0; ) {
          const records = Math.min(left, batchSize - batch.length)
          at = decode(bytes, at, records, batch)
          left -= records
          if (batch.length === batchSize) {
            yield batch
            batch = []
          }
        }
        if (at < bytes.length) {
          throw new CorruptManifestError(`A block holds ${bytes.length - at} bytes more than its records`)
        }
      }
      if (batch.length > 0) yield batch
    } finally {
      await container.close()
    }
  }

  #decoder(schema: string): RecordDecoder<T> {
    const decoder =
      this.#decoders.get(schema) ?? compileDecoder(parseAvroSchema(schema), this.#slots, this.#make)
    this.#decoders.delete(schema)
    this.#decoders.set(schema, decoder)
    if (this.#decoders.size > maxDecoders) this.#decoders.delete(this.#decoders.keys().next().value!)
    return decoder
  }
}
