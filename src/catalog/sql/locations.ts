import { badRequest } from '../../iceberg/errors.ts'
import type { Identifier } from '../../iceberg/identifier.ts'
import { InvalidLocationError } from '../../storage/file-io.ts'
import { placeKey } from '../../storage/location.ts'

/** UTF-8 bytes of a location: index entries of PostgreSQL end at 2,700. */
const maxLocationBytes = 2048
/** Levels of the namespace that show in an assigned location. */
const maxLevels = 8
const maxSegmentLength = 64

/**
 * The location that the catalog assigns: `<base>/<levels>/<name>-<uuid as 32 hex digits>`, or `<base>/<name>-<uuid>`
 * when `base` is the namespace's own `location` property. Names show up as far as they are safe in a path and a URI;
 * what makes the location unique is the table's uuid, so a name can be reused at once.
 */
export function assignLocation(
  base: { readonly location: string; readonly ofNamespace: boolean },
  identifier: Identifier,
  uuid: string,
): string {
  const levels = base.ofNamespace ? [] : identifier.namespace.slice(0, maxLevels)
  const folders = levels.map((level) => safeSegment(level, 'namespace'))
  return [base.location, ...folders, `${safeSegment(identifier.name, 'table')}-${hex(uuid)}`].join('/')
}

/**
 * Whether a location that a client sends at the end of a staged create is the one that the catalog had assigned: it
 * lies under the base and ends with the table's own uuid. (A staged create reserves nothing: this is its proof.)
 */
export function isAssigned(base: { readonly location: string }, location: string, uuid: string): boolean {
  const key = placeKey(location)
  return key.startsWith(placeKey(base.location)) && key.endsWith(`-${hex(uuid)}/`)
}

/**
 * A location that a user has chosen, without trailing slashes. Throws BadRequestException when no store could serve
 * it, when it is too long, or when it would hold the whole warehouse.
 */
export function chosenLocation(location: string, warehouseLocation: string): string {
  const trimmed = location.replace(/(?<=[^/:])\/+$/, '')
  checkLocation(trimmed)
  if (placeKey(warehouseLocation).startsWith(placeKey(trimmed))) {
    throw badRequest(
      `Location ${location} would hold the whole warehouse. Choose one below ${warehouseLocation}.`,
    )
  }
  return trimmed
}

/** Throws BadRequestException for a location that no store could serve, or that is over 2,048 bytes. */
export function checkLocation(location: string): void {
  if (!location.isWellFormed()) throw badRequest('Invalid location: it holds half of a surrogate pair.')
  if (Buffer.byteLength(location) > maxLocationBytes) {
    throw badRequest(`Invalid location: it is longer than ${maxLocationBytes} bytes of UTF-8.`)
  }
  try {
    placeKey(location)
  } catch (error) {
    if (error instanceof InvalidLocationError) throw badRequest(error.message, error)
    throw error
  }
}

/** Letters, digits, `_`, `-` and `.` stay; a leading `.` or `_` goes, since engines take such folders for hidden. */
function safeSegment(name: string, fallback: string): string {
  const safe = name.replace(/[^A-Za-z0-9_.-]+/g, '_').replace(/^[._-]+/, '')
  return safe.slice(0, maxSegmentLength) || fallback
}

function hex(uuid: string): string {
  return uuid.toLowerCase().replaceAll('-', '')
}
