import { badRequest } from '../errors.ts'
import { type JsonValue, printJson } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import type { FormatVersion } from './model.ts'
import { type Column, columns, type Field, fieldJson, parseField, withFreshIds } from './types.ts'

export interface Schema {
  readonly schemaId: number
  /** Ids of the fields that identify a row; empty for none. */
  readonly identifierFieldIds: readonly number[]
  readonly fields: readonly Field[]
}

/** Parses a schema and checks what holds in every version. A missing `schema-id` is 0, as in v1. */
export function parseSchema(value: JsonValue | undefined, what = 'schema'): Schema {
  const fields = new Fields(value, what)
  const type = fields.optionalString('type')
  if (type !== undefined && type !== 'struct') {
    throw badRequest(`Invalid ${what}: type must be "struct", but is ${JSON.stringify(type)}`)
  }
  const schema: Schema = {
    schemaId: fields.optionalInt('schema-id') ?? 0,
    identifierFieldIds: fields.has('identifier-field-ids') ? fields.ints('identifier-field-ids') : [],
    fields: fields.list('fields', parseField),
  }
  checkSchema(schema, what)
  return schema
}

export function schemaJson(schema: Schema): JsonValue {
  return {
    type: 'struct',
    'schema-id': schema.schemaId,
    ...(schema.identifierFieldIds.length > 0 && { 'identifier-field-ids': [...schema.identifierFieldIds] }),
    fields: schema.fields.map(fieldJson),
  }
}

const columnsById = new WeakMap<Schema, Map<number, Column>>()

/** All columns of a schema by field id. */
export function columnIndex(schema: Schema): ReadonlyMap<number, Column> {
  let index = columnsById.get(schema)
  if (!index) {
    index = new Map()
    for (const column of columns(schema.fields)) index.set(column.id, column)
    columnsById.set(schema, index)
  }
  return index
}

/** 0 for a schema without fields. */
export function highestFieldId(schema: Schema): number {
  let highest = 0
  for (const id of columnIndex(schema).keys()) highest = Math.max(highest, id)
  return highest
}

/** Same fields and identifiers, whatever the schema ids. */
export function sameSchema(a: Schema, b: Schema): boolean {
  return content(a) === content(b)
}

function content({ fields, identifierFieldIds }: Schema): string {
  return printJson([fields.map(fieldJson), identifierFieldIds.toSorted((x, y) => x - y)])
}

/** The schema with ids from 1; tells the new id of each old one. */
export function withFreshColumnIds(schema: Schema): {
  schema: Schema
  newIds: Map<number, number>
  lastId: number
} {
  let lastId = 0
  const fields = withFreshIds(schema.fields, () => ++lastId)
  const newIds = new Map<number, number>()
  const fresh = columns(fields)
  for (const old of columns(schema.fields)) newIds.set(old.id, fresh.next().value!.id)
  const identifierFieldIds = schema.identifierFieldIds.map((id) => newIds.get(id)!)
  return { schema: { schemaId: 0, identifierFieldIds, fields }, newIds, lastId }
}

function checkSchema(schema: Schema, what: string): void {
  const ids = new Set<number>()
  const names = new Set<string>()
  for (const { id, name } of columns(schema.fields)) {
    if (ids.has(id)) throw badRequest(`Invalid ${what}: field id ${id} is used twice (${name})`)
    if (names.has(name)) throw badRequest(`Invalid ${what}: field name ${JSON.stringify(name)} is used twice`)
    ids.add(id)
    names.add(name)
  }
  for (const id of schema.identifierFieldIds) checkIdentifier(schema, id, what)
}

/** https://iceberg.apache.org/spec/#identifier-field-ids */
function checkIdentifier(schema: Schema, id: number, what: string): void {
  const column = columnIndex(schema).get(id)
  const problem = (why: string) =>
    badRequest(`Invalid ${what}: cannot add field ${column?.name ?? id} as an identifier field: ${why}`)
  if (!column) throw problem('it does not exist')
  if (typeof column.type !== 'string') throw problem('it is not a primitive type')
  if (!column.required) throw problem('it is not a required field')
  if (column.type === 'float' || column.type === 'double') throw problem('it is a floating point number')
  for (const parent of column.parents) {
    if (typeof parent.type === 'string' || parent.type.type !== 'struct')
      throw problem(`it is nested in ${parent.name}`)
    if (!parent.required) throw problem(`it is nested in the optional field ${parent.name}`)
  }
}

const v3Types = /^(?:timestamp_ns|timestamptz_ns|variant|unknown|geometry|geography)/

/** Types and defaults that need a newer format version. Throws BadRequestException. */
export function checkSchemaVersion(schema: Schema, formatVersion: FormatVersion): void {
  if (formatVersion >= 3) return
  const problems: string[] = []
  for (const column of columnIndex(schema).values()) {
    if (typeof column.type === 'string' && v3Types.test(column.type)) {
      problems.push(`Invalid type for ${column.name}: ${column.type} is not supported until v3`)
    }
    if (column.field?.initialDefault !== undefined) {
      problems.push(
        `Invalid initial default for ${column.name}: non-null default (${printJson(column.field.initialDefault)}) is not supported until v3`,
      )
    }
  }
  if (problems.length > 0) {
    throw badRequest(`Invalid schema for v${formatVersion}:\n- ${problems.join('\n- ')}`)
  }
}
