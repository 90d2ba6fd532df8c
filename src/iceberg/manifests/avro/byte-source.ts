import { CorruptManifestError } from '../errors.ts'

/** Bytes in order out of chunks of any size; keeps no more than what was asked for and the chunk around it. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer> | Iterator<Buffer>
  #buffer: Buffer = Buffer.alloc(0)
  #at = 0
  #ended = false

  constructor(chunks: AsyncIterable<Buffer> | Iterable<Buffer>) {
    this.#chunks = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
  }

  async atEnd(): Promise<boolean> {
    return this.#at === this.#buffer.length && !(await this.#fill(1))
  }

  /** The next bytes; valid until the next call. Throws CorruptManifestError when the file ends before. */
  async take(length: number): Promise<Buffer> {
    if (this.#buffer.length - this.#at < length && !(await this.#fill(length))) {
      throw new CorruptManifestError('The file is cut short')
    }
    const bytes = this.#buffer.subarray(this.#at, this.#at + length)
    this.#at += length
    return bytes
  }

  /** A zigzag varint, exact from -2^52 to 2^53. */
  async long(): Promise<number> {
    let value = 0
    for (let factor = 1; factor < 2 ** 63; factor *= 128) {
      const byte = (await this.take(1))[0]!
      value += (byte & 127) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
    throw new CorruptManifestError('A number has more than 64 bits')
  }

  /** Lets go of the chunks: a stream that was not read to its end would stay open. */
  async close(): Promise<void> {
    if (!this.#ended) await this.#chunks.return?.()
    this.#ended = true
  }

  /** Reads on until `length` bytes are there. False when the chunks end before. */
  async #fill(length: number): Promise<boolean> {
    const parts = [this.#buffer.subarray(this.#at)]
    let available = parts[0]!.length
    while (available < length && !this.#ended) {
      const { value, done } = await this.#chunks.next()
      if (done) this.#ended = true
      else {
        parts.push(value)
        available += value.length
      }
    }
    const filled = parts.filter((part) => part.length > 0)
    this.#buffer = filled.length === 1 ? filled[0]! : Buffer.concat(filled)
    this.#at = 0
    return available >= length
  }
}
