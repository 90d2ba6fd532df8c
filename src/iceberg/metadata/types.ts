/**
 * Iceberg's types: primitives are the specification's strings (`long`, `decimal(9,2)`), nested types are values.
 * https://iceberg.apache.org/spec/#schemas-and-data-types
 */
import { badRequest } from '../errors.ts'
import { isJsonObject, type JsonValue } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'

export type Type = string | StructType | ListType | MapType

export interface StructType {
  readonly type: 'struct'
  readonly fields: readonly Field[]
}

export interface ListType {
  readonly type: 'list'
  readonly elementId: number
  readonly elementRequired: boolean
  readonly element: Type
}

export interface MapType {
  readonly type: 'map'
  readonly keyId: number
  readonly key: Type
  readonly valueId: number
  readonly valueRequired: boolean
  readonly value: Type
}

export interface Field {
  readonly id: number
  readonly name: string
  readonly required: boolean
  readonly type: Type
  readonly doc: string | undefined
  /** JSON single-value form; undefined for none or null. */
  readonly initialDefault: JsonValue | undefined
  readonly writeDefault: JsonValue | undefined
}

const primitive =
  /^(?:boolean|int|long|float|double|date|time|timestamp|timestamptz|timestamp_ns|timestamptz_ns|string|uuid|binary|unknown|variant|decimal\(\s*\d+\s*,\s*\d+\s*\)|fixed\[\s*\d+\s*\]|geometry(?:\(.*\))?|geography(?:\(.*\))?)$/

/** Throws BadRequestException for what is no type. */
export function parseType(value: JsonValue | undefined, what: string): Type {
  if (typeof value === 'string') {
    const name = value.toLowerCase()
    if (!primitive.test(name)) throw badRequest(`Invalid ${what}: unknown type ${JSON.stringify(value)}`)
    checkDecimal(name, what)
    return /^geo/.test(name) ? value : name
  }
  if (!isJsonObject(value)) throw badRequest(`Invalid ${what}: a type must be a string or an object`)
  const fields = new Fields(value, `type of ${what}`)
  const type = fields.string('type')
  switch (type) {
    case 'struct':
      return { type, fields: fields.list('fields', parseField) }
    case 'list':
      return {
        type,
        elementId: fields.int('element-id'),
        elementRequired: fields.boolean('element-required'),
        element: parseType(fields.raw('element'), `element of ${what}`),
      }
    case 'map':
      return {
        type,
        keyId: fields.int('key-id'),
        key: parseType(fields.raw('key'), `key of ${what}`),
        valueId: fields.int('value-id'),
        valueRequired: fields.boolean('value-required'),
        value: parseType(fields.raw('value'), `value of ${what}`),
      }
    default:
      throw badRequest(`Invalid ${what}: unknown type ${JSON.stringify(type)}`)
  }
}

function checkDecimal(name: string, what: string): void {
  const match = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(name)
  if (match && (Number(match[1]) > 38 || Number(match[1]) < 1)) {
    throw badRequest(`Invalid ${what}: decimal precision must be 1 to 38, but is ${match[1]}`)
  }
}

export function parseField(value: JsonValue, what: string): Field {
  const fields = new Fields(value, what)
  const name = fields.string('name')
  return {
    id: fields.int('id'),
    name,
    required: fields.boolean('required'),
    type: parseType(fields.raw('type'), `field ${JSON.stringify(name)}`),
    doc: fields.optionalString('doc'),
    initialDefault: fields.raw('initial-default'),
    writeDefault: fields.raw('write-default'),
  }
}

/** The JSON form of a type, as the specification writes it. */
export function typeJson(type: Type): JsonValue {
  if (typeof type === 'string') return type
  switch (type.type) {
    case 'struct':
      return { type: 'struct', fields: type.fields.map(fieldJson) }
    case 'list':
      return {
        type: 'list',
        'element-id': type.elementId,
        element: typeJson(type.element),
        'element-required': type.elementRequired,
      }
    case 'map':
      return {
        type: 'map',
        'key-id': type.keyId,
        key: typeJson(type.key),
        'value-id': type.valueId,
        value: typeJson(type.value),
        'value-required': type.valueRequired,
      }
  }
}

export function fieldJson(field: Field): JsonValue {
  return {
    id: field.id,
    name: field.name,
    required: field.required,
    type: typeJson(field.type),
    ...(field.doc !== undefined && { doc: field.doc }),
    ...(field.initialDefault !== undefined && { 'initial-default': field.initialDefault }),
    ...(field.writeDefault !== undefined && { 'write-default': field.writeDefault }),
  }
}

/** A field with its full name (`a.b`, `list.element`, `map.key`) and its way from the top. */
export interface Column {
  readonly id: number
  readonly name: string
  readonly type: Type
  readonly required: boolean
  readonly field: Field | undefined
  /** The columns that contain it, outermost first. */
  readonly parents: readonly Column[]
}

/** Every field at every depth, parents before children. */
export function* columns(
  fields: readonly Field[],
  prefix = '',
  parents: readonly Column[] = [],
): Generator<Column> {
  for (const field of fields) {
    const column: Column = {
      id: field.id,
      name: prefix + field.name,
      type: field.type,
      required: field.required,
      field,
      parents,
    }
    yield column
    yield* nestedColumns(column)
  }
}

function* nestedColumns(column: Column): Generator<Column> {
  const { type } = column
  if (typeof type === 'string') return
  const parents = [...column.parents, column]
  const inner = (id: number, name: string, required: boolean, innerType: Type): Column => ({
    id,
    name: `${column.name}.${name}`,
    type: innerType,
    required,
    field: undefined,
    parents,
  })
  if (type.type === 'struct') {
    yield* columns(type.fields, `${column.name}.`, parents)
  } else if (type.type === 'list') {
    const element = inner(type.elementId, 'element', type.elementRequired, type.element)
    yield element
    yield* nestedColumns(element)
  } else {
    const key = inner(type.keyId, 'key', true, type.key)
    const value = inner(type.valueId, 'value', type.valueRequired, type.value)
    yield key
    yield value
    yield* nestedColumns(key)
    yield* nestedColumns(value)
  }
}

/** The same fields with ids from `nextId`: those of one level first, then those below, as Iceberg Java assigns them. */
export function withFreshIds(fields: readonly Field[], nextId: () => number): Field[] {
  const ids = fields.map(() => nextId())
  return fields.map((field, index) => ({ ...field, id: ids[index]!, type: freshType(field.type, nextId) }))
}

function freshType(type: Type, nextId: () => number): Type {
  if (typeof type === 'string') return type
  switch (type.type) {
    case 'struct':
      return { ...type, fields: withFreshIds(type.fields, nextId) }
    case 'list': {
      const elementId = nextId()
      return { ...type, elementId, element: freshType(type.element, nextId) }
    }
    case 'map': {
      const keyId = nextId()
      const valueId = nextId()
      return {
        ...type,
        keyId,
        valueId,
        key: freshType(type.key, nextId),
        value: freshType(type.value, nextId),
      }
    }
  }
}
