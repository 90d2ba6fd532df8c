import { IcebergError } from '../../iceberg/errors.ts'
import { type Identifier, identifierText } from '../../iceberg/identifier.ts'
import type { TableMetadata } from '../../iceberg/metadata/model.ts'
import { parseTableMetadata } from '../../iceberg/metadata/parse.ts'
import { printTableMetadata } from '../../iceberg/metadata/print.ts'
import type { ViewMetadata } from '../../iceberg/views/model.ts'
import { parseViewMetadata } from '../../iceberg/views/parse.ts'
import { printViewMetadata } from '../../iceberg/views/print.ts'

/** What tables and views do differently; everything else in this folder serves both. */
export interface Kind<M> {
  readonly kind: 'table' | 'view'
  /** For messages that begin with it. */
  readonly title: 'Table' | 'View'
  parse(json: Buffer): M
  print(metadata: M): string
  /** Lower case; undefined for v1 tables without one. */
  uuid(metadata: M): string | undefined
  location(metadata: M): string
  properties(metadata: M): Readonly<Record<string, string>>
}

export const tables: Kind<TableMetadata> = {
  kind: 'table',
  title: 'Table',
  parse: parseTableMetadata,
  print: printTableMetadata,
  uuid: ({ tableUuid }) => tableUuid?.toLowerCase(),
  location: ({ location }) => location,
  properties: ({ properties }) => properties,
}

export const views: Kind<ViewMetadata> = {
  kind: 'view',
  title: 'View',
  parse: parseViewMetadata,
  print: printViewMetadata,
  uuid: ({ viewUuid }) => viewUuid.toLowerCase(),
  location: ({ location }) => location,
  properties: ({ properties }) => properties,
}

/** The name is not taken by an entry of this kind. */
export function noSuchEntry(kind: Kind<unknown>, identifier: Identifier): IcebergError {
  const type = kind.kind === 'table' ? 'NoSuchTableException' : 'NoSuchViewException'
  return new IcebergError(type, `${kind.title} does not exist: ${identifierText(identifier)}`)
}

/** The name is taken, by an entry of the same kind or of the other. */
export function entryExists(
  kind: Kind<unknown>,
  found: 'table' | 'view',
  identifier: Identifier,
): IcebergError {
  const name = identifierText(identifier)
  if (found === kind.kind)
    return new IcebergError('AlreadyExistsException', `${kind.title} already exists: ${name}`)
  const other = found === 'table' ? 'Table' : 'View'
  return new IcebergError('AlreadyExistsException', `${other} with same name already exists: ${name}`)
}
