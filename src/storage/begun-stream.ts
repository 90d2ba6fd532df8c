/** A stream that has been asked for its first bytes, and waits to be read. */
export class BegunStream {
  readonly #source: AsyncIterator<Buffer>
  readonly #begun: Promise<Buffer[]>
  #ended = false

  /** @param bytes that are read, at least, before somebody reads the stream. */
  constructor(source: AsyncIterable<Buffer>, bytes: number) {
    this.#source = source[Symbol.asyncIterator]()
    this.#begun = this.#begin(bytes)
    // Whoever reads the stream sees the error.
    this.#begun.catch(() => undefined)
  }

  /** All chunks from the first one on, once. Throws what the source throws. */
  async *chunks(): AsyncGenerator<Buffer> {
    const begun = await this.#begun
    for (let chunk = begun.shift(); chunk; chunk = begun.shift()) yield chunk
    for (let chunk = await this.#next(); chunk; chunk = await this.#next()) yield chunk
  }

  /** Lets go of the source, read or not. */
  async close(): Promise<void> {
    await this.#begun.catch(() => undefined)
    if (!this.#ended) await this.#source.return?.()
    this.#ended = true
  }

  async #begin(bytes: number): Promise<Buffer[]> {
    const chunks: Buffer[] = []
    for (let held = 0; held < bytes; held += chunks.at(-1)!.length) {
      const chunk = await this.#next()
      if (!chunk) break
      chunks.push(chunk)
    }
    return chunks
  }

  async #next(): Promise<Buffer | undefined> {
    if (this.#ended) return undefined
    const { value, done } = await this.#source.next()
    if (!done) return value
    this.#ended = true
    return undefined
  }
}
