/**
 * Avro schemas, as far as skipping and reading values needs them. The schema of a manifest is untrusted input: nesting
 * and size are bounded, and nothing of it ever becomes code but numbers.
 */
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../json/exact-json.ts'
import { CorruptManifestError } from '../errors.ts'

export type AvroType =
  | { readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string' }
  | { readonly kind: 'fixed'; readonly size: number }
  | { readonly kind: 'record'; readonly fields: readonly AvroField[] }
  | { readonly kind: 'array' | 'map'; readonly items: AvroType }
  | { readonly kind: 'union'; readonly branches: readonly AvroType[] }

export interface AvroField {
  readonly name: string
  /** Iceberg's id; undefined where the writer left it out. */
  readonly fieldId: number | undefined
  readonly type: AvroType
}

/** Nested types, at most. */
const maxDepth = 64
/** Types in all, at most: a name may stand for a large type, again and again. */
const maxTypes = 5_000

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])

/** Parses the schema in a file's header. Throws CorruptManifestError for what is none, or too large to be one. */
export function parseAvroSchema(text: string): AvroType {
  try {
    return new SchemaParser().type(parseJson(text), '', 0)
  } catch (error) {
    if (error instanceof CorruptManifestError) throw error
    throw new CorruptManifestError(`The Avro schema is not valid JSON: ${(error as Error).message}`)
  }
}

class SchemaParser {
  /** By full name, with the namespace in which the definition's own names are looked up. */
  readonly #named = new Map<string, { readonly schema: JsonObject; readonly namespace: string }>()
  #types = 0

  /** @param namespace that of the named type around it: short names belong to it. */
  type(schema: JsonValue | undefined, namespace: string, depth: number): AvroType {
    if (depth > maxDepth || ++this.#types > maxTypes) {
      throw new CorruptManifestError('The Avro schema is nested too deeply, recursive, or too large')
    }
    if (typeof schema === 'string') return this.#reference(schema, namespace, depth)
    if (Array.isArray(schema)) {
      return { kind: 'union', branches: schema.map((branch) => this.type(branch, namespace, depth + 1)) }
    }
    if (!isJsonObject(schema))
      throw new CorruptManifestError('The Avro schema holds something that is no type')
    if (typeof schema.type !== 'string') return this.type(schema.type, namespace, depth + 1)
    const inner = this.#define(schema, namespace)
    return this.#complex(schema, schema.type, inner, depth)
  }

  /** Remembers a named type under its full name. The namespace of what is inside. */
  #define(schema: JsonObject, namespace: string): string {
    if (typeof schema.name !== 'string') return namespace
    const own = typeof schema.namespace === 'string' ? schema.namespace : namespace
    const name = fullName(schema.name, own)
    const inner = name.slice(0, Math.max(0, name.lastIndexOf('.')))
    this.#named.set(name, { schema, namespace: inner })
    return inner
  }

  #reference(name: string, namespace: string, depth: number): AvroType {
    if (primitives.has(name)) return { kind: name as 'null' }
    const known = this.#named.get(fullName(name, namespace)) ?? this.#named.get(name)
    if (!known) throw new CorruptManifestError(`The Avro schema uses an unknown type ${name}`)
    return this.type(known.schema, known.namespace, depth + 1)
  }

  #complex(schema: JsonObject, type: string, namespace: string, depth: number): AvroType {
    switch (type) {
      case 'record':
        if (!Array.isArray(schema.fields)) throw new CorruptManifestError('An Avro record has no fields')
        return {
          kind: 'record',
          fields: schema.fields.map((field) => this.#field(field, namespace, depth + 1)),
        }
      case 'array':
        return { kind: 'array', items: this.type(schema.items, namespace, depth + 1) }
      case 'map':
        return { kind: 'map', items: this.type(schema.values, namespace, depth + 1) }
      case 'enum':
        return { kind: 'int' }
      case 'fixed':
        if (typeof schema.size !== 'number' || !Number.isInteger(schema.size) || schema.size < 0) {
          throw new CorruptManifestError('An Avro fixed has no size')
        }
        return { kind: 'fixed', size: schema.size }
      default:
        return this.#reference(type, namespace, depth)
    }
  }

  #field(field: JsonValue, namespace: string, depth: number): AvroField {
    if (!isJsonObject(field) || typeof field.name !== 'string') {
      throw new CorruptManifestError('An Avro record holds a field without a name')
    }
    const fieldId = field['field-id']
    return {
      name: field.name,
      fieldId: typeof fieldId === 'number' ? fieldId : undefined,
      type: this.type(field.type, namespace, depth),
    }
  }
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`
}

/** Bytes that a value takes at least. */
export function minimumSize(type: AvroType): number {
  switch (type.kind) {
    case 'null':
      return 0
    case 'float':
      return 4
    case 'double':
      return 8
    case 'fixed':
      return type.size
    case 'record':
      return type.fields.reduce((size, field) => size + minimumSize(field.type), 0)
    default:
      return 1
  }
}
