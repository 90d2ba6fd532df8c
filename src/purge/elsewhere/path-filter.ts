/**
 * A set of paths in constant memory: what it does not have was never added; of what it may have, that is only likely. (A blocked
 * Bloom filter: the bits of one path lie together, so that few paths touch few pages of memory.)
 */
import { hash } from 'node:crypto'

/** Bytes. One in 200 is mistaken when it holds ten million paths, one in three when it holds fifty million. */
const size = 16 * 1024 * 1024
const blockBytes = 64
const blockBits = blockBytes * 8
const bitsPerPath = 4

export class PathFilter {
  readonly #bits = new Uint8Array(size)

  add(path: string): void {
    for (const bit of bitsOf(path)) this.#bits[bit >>> 3]! |= 1 << (bit & 7)
  }

  mayHave(path: string): boolean {
    return bitsOf(path).every((bit) => (this.#bits[bit >>> 3]! & (1 << (bit & 7))) !== 0)
  }
}

/** A block, and some bits in it. */
function bitsOf(path: string): number[] {
  const digest = hash('sha1', path, 'buffer')
  const block = (digest.readUInt32LE(0) % (size / blockBytes)) * blockBits
  return Array.from(
    { length: bitsPerPath },
    (_, index) => block + (digest.readUInt16LE(4 + 2 * index) % blockBits),
  )
}
