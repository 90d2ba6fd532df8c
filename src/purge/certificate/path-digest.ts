/**
 * The digest of a table's paths. Anyone with the manifests can compute it, and an attempt that goes on where another
 * stopped needs only the digest so far.
 *
 * d(0) is the SHA-256 of nothing. For the manifests in the byte order of their paths:
 * d(n) = SHA-256(d(n-1) ‖ SHA-256(path of the manifest) ‖ SHA-256(its entries' paths, in order, each followed by a zero
 * byte)). Paths are UTF-8, as the manifest has them.
 */
import { createHash, type Hash } from 'node:crypto'

const nothing = createHash('sha256').digest('hex')

export class PathDigest {
  /** d(n), hexadecimal. */
  #digest: string
  #entries: Hash | undefined

  /** @param digest of the manifests before; that of none by default. */
  constructor(digest: string = nothing) {
    this.#digest = digest
  }

  /** d(n) after the last manifest that has ended. */
  get value(): string {
    return this.#digest
  }

  /** The next entries of the manifest that is being read. */
  add(paths: readonly string[]): void {
    if (paths.length === 0) return
    this.#entries ??= createHash('sha256')
    this.#entries.update(`${paths.join('\0')}\0`)
  }

  /** The manifest has no more entries. */
  end(manifest: string): void {
    const entries = (this.#entries ?? createHash('sha256')).digest()
    this.#entries = undefined
    this.#digest = createHash('sha256')
      .update(Buffer.from(this.#digest, 'hex'))
      .update(createHash('sha256').update(manifest).digest())
      .update(entries)
      .digest('hex')
  }
}

/** The order in which manifests are read: that of their paths' UTF-8 bytes. */
export function sortedByPath<T extends { readonly path: string }>(items: Iterable<T>): T[] {
  const sorted = Array.from(items)
  // JavaScript compares UTF-16, which has the same order as UTF-8 but for surrogates.
  if (!sorted.some(({ path }) => /[\ud800-\udfff]/.test(path))) {
    return sorted.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  }
  return sorted.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}
