import { levelSeparator, namespacePath } from '../../database/namespace-path.ts'
import { badRequest } from '../../iceberg/errors.ts'
import type { Identifier, Namespace } from '../../iceberg/identifier.ts'

/** UTF-8 bytes of one name: a table's, a view's, a namespace's level. */
const maxNameBytes = 1024
/** UTF-8 bytes of a namespace's levels together, separators included: index entries of PostgreSQL end at 2,700. */
const maxPathBytes = 1536

/**
 * Throws BadRequestException for a name that no row can hold: empty, longer than 1,024 bytes, with a NUL or U+001F
 * (the separator of levels), or with half of a surrogate pair. Anything else is a legal name.
 */
export function checkName(name: string, what: string): void {
  if (name === '') throw badRequest(`Invalid ${what}: it is empty.`)
  if (name.includes('\0') || name.includes(levelSeparator)) {
    throw badRequest(`Invalid ${what}: it must hold neither NUL nor U+001F.`)
  }
  if (!name.isWellFormed()) throw badRequest(`Invalid ${what}: it holds half of a surrogate pair.`)
  if (Buffer.byteLength(name) > maxNameBytes) {
    throw badRequest(`Invalid ${what}: it is longer than ${maxNameBytes} bytes of UTF-8.`)
  }
}

/** Throws BadRequestException as {@link checkName}, of any level, and for a namespace over 1,536 bytes or of none. */
export function checkNamespace(namespace: Namespace): void {
  if (namespace.length === 0) throw badRequest('Invalid namespace: it has no level.')
  for (const level of namespace) checkName(level, 'namespace level')
  if (Buffer.byteLength(namespacePath(namespace)) > maxPathBytes) {
    throw badRequest(`Invalid namespace: its levels are longer than ${maxPathBytes} bytes of UTF-8 together.`)
  }
}

/** Throws BadRequestException as {@link checkName} and {@link checkNamespace}. */
export function checkIdentifier({ namespace, name }: Identifier, kind: 'table' | 'view'): void {
  checkNamespace(namespace)
  checkName(name, `${kind} name`)
}
