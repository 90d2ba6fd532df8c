/**
 * The algebra of locations: which spellings are the same place, and which place lies in which. Everything is compared
 * by whole segments, so that `…/test` never contains `…/test2`.
 *
 * Locations are literal. S3 keys are not normalised at all: `?`, `#`, `%2F`, `+`, `//` and `..` are part of the key.
 * Local paths are resolved first, because there `..` climbs. `file:` URIs are not percent-decoded: no Iceberg writer
 * encodes them.
 */
import { InvalidLocationError } from './file-io.ts'

const localForm = /^file:(?:\/\/(?:localhost)?(?=\/)|(?=\/(?!\/)))/
const s3Scheme = /^s3[an]?:\/\//

/** True for `/path` and `file:` URIs of this machine. */
export function isLocal(location: string): boolean {
  return location.startsWith('/') || localForm.test(location)
}

/** Absolute path of a local location, resolved. Throws {@link InvalidLocationError} for any other form. */
export function localPath(location: string): string {
  const path = location.startsWith('/') ? location : location.replace(localForm, '')
  if (!path.startsWith('/') || location.includes('\0')) {
    throw new InvalidLocationError(
      location,
      `Not a local location (/path or file:///path): ${printable(location)}`,
    )
  }
  return resolvePath(path)
}

/** Bucket and literal key (no leading slash; empty for the bucket itself). Throws {@link InvalidLocationError}. */
export function s3Parts(location: string): { bucket: string; key: string } {
  // Asked for every file of every table: no regular expression on the way that all of them take.
  const start = location.startsWith('s3://') ? 5 : (s3Scheme.exec(location)?.[0].length ?? location.length)
  const slash = location.indexOf('/', start)
  const end = slash < 0 ? location.length : slash
  if (start === end || location.includes('\0')) {
    throw new InvalidLocationError(location, `Not an S3 location (s3://bucket/key): ${printable(location)}`)
  }
  return { bucket: location.slice(start, end), key: location.slice(end + 1) }
}

/** The bucket that holds a location, as {@link StoreSettings} names it (`s3://bucket`); undefined for local ones. */
export function containerOf(location: string): string | undefined {
  return s3Scheme.test(location) ? `s3://${s3Parts(location).bucket}` : undefined
}

/**
 * One key for one place: `file:///path`, resolved, or `s3://bucket/key`, literal. `s3a:` and `s3n:` are `s3:`.
 * Throws {@link InvalidLocationError} for relative locations and for schemes that no storage here serves.
 */
export function canonicalLocation(location: string): string {
  if (location.startsWith('s3')) {
    const { bucket, key } = s3Parts(location)
    return `s3://${bucket}/${key}`
  }
  if (isLocal(location)) return `file://${localPath(location)}`
  throw new InvalidLocationError(
    location,
    `Location must be absolute and begin with s3://, s3a://, s3n://, file: or /: ${printable(location)}`,
  )
}

/** Canonical form of a directory-like location with exactly one slash at its end: places compare by prefix. */
export function placeKey(location: string): string {
  const canonical = canonicalLocation(location)
  let end = canonical.length
  while (canonical.charCodeAt(end - 1) === 47) end--
  const trimmed = canonical.slice(0, end)
  // `file:///` and `s3://bucket/` must not lose what makes them a location.
  return trimmed === 'file:' ? 'file:///' : `${trimmed}/`
}

/** Whether the file or directory lies in the directory-like location, or is that very place. */
export function isWithin(path: string, location: string): boolean {
  const key = placeKey(location)
  const canonical = canonicalLocation(path)
  return canonical.startsWith(key) || canonical === key.slice(0, -1)
}

/** Whether one of the two directory-like locations contains, or is, the other. */
export function overlaps(a: string, b: string): boolean {
  const left = placeKey(a)
  const right = placeKey(b)
  return left.startsWith(right) || right.startsWith(left)
}

/** Keys of every place that contains the given place key, itself included, outermost first: for SQL's `IN`. */
export function ancestorKeys(key: string): string[] {
  const keys: string[] = []
  const root = key.startsWith('file://') ? 'file://'.length : key.indexOf('/', 's3://'.length)
  for (let at = root; at !== -1; at = key.indexOf('/', at + 1)) keys.push(key.slice(0, at + 1))
  return keys
}

/** Appends segments with single slashes between them; the segments themselves are taken literally. */
export function joinLocation(base: string, ...segments: readonly string[]): string {
  return [base.replace(/\/+$/, ''), ...segments].join('/')
}

/** The directory-like location that holds this file: everything before the last slash. */
export function parentLocation(location: string): string {
  return location.slice(0, location.lastIndexOf('/'))
}

/** What follows the last slash. */
export function baseName(location: string): string {
  return location.slice(location.lastIndexOf('/') + 1)
}

/** Resolves `.`, `..`, `//` and slashes at the end; most paths need none of it and are returned as they are. */
function resolvePath(path: string): string {
  if (!/\/(?:\.{0,2}(?:\/|$))/.test(path)) return path
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return `/${segments.join('/')}`
}

function printable(location: string): string {
  return JSON.stringify(location.slice(0, 200))
}
