import { badRequest } from '../errors.ts'
import type { Draft } from './draft.ts'
import { checkSchemaVersion, highestFieldId, type Schema, sameSchema } from './schema.ts'
import type { TableUpdate } from './updates.ts'

type SchemaUpdate = Extract<TableUpdate, { action: 'add-schema' | 'set-current-schema' | 'remove-schemas' }>

/** Schemas are added under an id of the table's choice, never changed, and removed only when not current. */
export function applySchemas(draft: Draft, update: SchemaUpdate): void {
  switch (update.action) {
    case 'add-schema':
      addSchema(draft, update.schema)
      return
    case 'set-current-schema':
      setCurrentSchema(draft, update.schemaId)
      return
    case 'remove-schemas':
      removeSchemas(draft, update.schemaIds)
      return
  }
}

function addSchema(draft: Draft, schema: Schema): void {
  checkSchemaVersion(schema, draft.formatVersion)
  const lastColumnId = Math.max(draft.lastColumnId, highestFieldId(schema))
  const known = draft.schemas.find((other) => sameSchema(other, schema))
  if (known && lastColumnId === draft.lastColumnId) {
    draft.lastAddedSchemaId = draft.addedSchemaIds.has(known.schemaId) ? known.schemaId : undefined
    return
  }
  const schemaId =
    known?.schemaId ??
    nextId(
      draft.schemas.map((other) => other.schemaId),
      draft.currentSchemaId,
    )
  if (!known) draft.schemas = [...draft.schemas, { ...schema, schemaId }]
  draft.lastColumnId = lastColumnId
  draft.lastAddedSchemaId = schemaId
  draft.addedSchemaIds.add(schemaId)
  draft.changed = true
}

function setCurrentSchema(draft: Draft, requested: number): void {
  const schemaId = requested === -1 ? draft.lastAddedSchemaId : requested
  if (schemaId === undefined) {
    throw badRequest('Cannot set last added schema: no schema has been added')
  }
  if (schemaId === draft.currentSchemaId) return
  if (!draft.schemas.some((schema) => schema.schemaId === schemaId)) {
    throw badRequest(`Cannot set current schema to unknown schema: ${schemaId}`)
  }
  draft.currentSchemaId = schemaId
  draft.changed = true
}

function removeSchemas(draft: Draft, ids: readonly number[]): void {
  if (ids.includes(draft.currentSchemaId)) throw badRequest('Cannot remove the current schema')
  const kept = draft.schemas.filter(({ schemaId }) => !ids.includes(schemaId))
  if (kept.length === draft.schemas.length) return
  draft.schemas = kept
  draft.changed = true
}

/** One more than the highest id, and no less than the given one; 0 for a table without any. */
function nextId(ids: readonly number[], atLeast: number): number {
  return Math.max(0, atLeast, ...ids.map((id) => id + 1))
}
