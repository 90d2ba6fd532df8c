import { createHash } from 'node:crypto'

/** UTF-8 bytes of a named path; an index of PostgreSQL takes rows of 2,700 bytes. Keys of S3 have 1,024 at most. */
const maxPathBytes = 2_400

/** Text that a column can hold: PostgreSQL knows no NUL, and what comes from manifests may be of any length. */
export function storedText(text: string, maxLength: number): string {
  return text.replaceAll('\0', '\ufffd').slice(0, maxLength)
}

/** Whether a path can be stored as it is, and so be tried again by its name. */
export function isStorable(path: string): boolean {
  return Buffer.byteLength(path) <= maxPathBytes && !path.includes('\0')
}

/** A path as part of a key: one that is longer than any store allows is cut, and told apart by its hash. */
export function storedPath(path: string): string {
  if (isStorable(path)) return path
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 32)
  return `${storedText(path, maxPathBytes / 4)}… (${hash})`
}
