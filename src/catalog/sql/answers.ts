/** From what the parts of the catalog have made to the answers of its methods. */
import type { Transaction } from '../../database/database.ts'
import { badRequest } from '../../iceberg/errors.ts'
import { type Identifier, identifierText } from '../../iceberg/identifier.ts'
import type { TableMetadata } from '../../iceberg/metadata/model.ts'
import type { ViewMetadata } from '../../iceberg/views/model.ts'
import type { LoadedTable, LoadedView, Mutation } from '../catalog.ts'
import type { MetadataDocument } from '../metadata-document.ts'

export function loadedTable(
  identifier: Identifier,
  document: MetadataDocument<TableMetadata>,
  warnings: readonly string[] = [],
): LoadedTable {
  return { identifier, metadataLocation: document.location, document, warnings }
}

export function loadedView(identifier: Identifier, document: MetadataDocument<ViewMetadata>): LoadedView {
  if (document.location === null) throw new Error('Views are never staged.')
  return { identifier, metadataLocation: document.location, document }
}

/** The mutation's `alongside` as the parts of the catalog call it: with what they have made, not with the answer. */
export function adapt<Made, T>(
  mutation: Mutation<T> | undefined,
  answer: (made: Made) => T,
): ((tx: Transaction, made: Made) => Promise<void>) | undefined {
  const alongside = mutation?.alongside
  return alongside && ((tx, made) => alongside(tx, answer(made)))
}

/** As {@link adapt}, for mutations that answer nothing. */
export function plain(
  mutation: Mutation<void> | undefined,
): ((tx: Transaction) => Promise<void>) | undefined {
  const alongside = mutation?.alongside
  return alongside && ((tx) => alongside(tx, undefined))
}

/** Throws BadRequestException for an entry that is named twice. */
export function refuseDuplicates(identifiers: readonly Identifier[]): void {
  const seen = new Set<string>()
  for (const identifier of identifiers) {
    const key = JSON.stringify([identifier.namespace, identifier.name])
    if (seen.has(key)) {
      throw badRequest(
        `Table ${identifierText(identifier)} occurs twice in the transaction; send one change for it.`,
      )
    }
    seen.add(key)
  }
}
