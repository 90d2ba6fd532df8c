import { badRequest } from '../errors.ts'
import { isJsonObject, type JsonObject, type JsonValue } from './exact-json.ts'

const minLong = -(2n ** 63n)
const maxLong = 2n ** 63n - 1n

/**
 * Reads the members of one JSON object by name and type. Every complaint is a BadRequestException that names the
 * object, the member, what it must be and what it is. A member that is null counts as missing, as Iceberg's parsers
 * take it.
 */
export class Fields {
  readonly #object: JsonObject
  readonly #what: string

  /** @param what the object's name in messages: `table metadata`, `snapshots[3]`. */
  constructor(value: unknown, what: string) {
    if (!isJsonObject(value))
      throw badRequest(`Invalid ${what}: must be a JSON object, but is ${typeName(value)}`)
    this.#object = value
    this.#what = what
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined
  }

  /** The member as parsed, undefined when missing or null. */
  raw(name: string): JsonValue | undefined {
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? undefined) : undefined
  }

  string(name: string): string {
    return this.optionalString(name) ?? this.#missing(name, 'a string')
  }

  optionalString(name: string): string | undefined {
    const value = this.raw(name)
    if (value === undefined || typeof value === 'string') return value
    return this.#wrong(name, 'a string', value)
  }

  boolean(name: string): boolean {
    return this.optionalBoolean(name) ?? this.#missing(name, 'a boolean')
  }

  optionalBoolean(name: string): boolean | undefined {
    const value = this.raw(name)
    if (value === undefined || typeof value === 'boolean') return value
    return this.#wrong(name, 'a boolean', value)
  }

  /** A 32-bit integer. */
  int(name: string): number {
    return this.optionalInt(name) ?? this.#missing(name, 'an integer')
  }

  optionalInt(name: string): number | undefined {
    const value = this.raw(name)
    if (value === undefined || isInt(value)) return value
    return this.#wrong(name, 'a 32-bit integer', value)
  }

  /** A 64-bit integer. */
  long(name: string): bigint {
    return this.optionalLong(name) ?? this.#missing(name, 'an integer')
  }

  optionalLong(name: string): bigint | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    return toLong(value) ?? this.#wrong(name, 'a 64-bit integer', value)
  }

  ints(name: string): number[] {
    return this.list(name, (value, what) => {
      if (isInt(value)) return value
      throw badRequest(`Invalid ${what}: must be a 32-bit integer, but is ${typeName(value)}`)
    })
  }

  longs(name: string): bigint[] {
    return this.list(name, (value, what) => {
      const long = toLong(value)
      if (long !== undefined) return long
      throw badRequest(`Invalid ${what}: must be a 64-bit integer, but is ${typeName(value)}`)
    })
  }

  strings(name: string): string[] {
    return this.list(name, (value, what) => {
      if (typeof value === 'string') return value
      throw badRequest(`Invalid ${what}: must be a string, but is ${typeName(value)}`)
    })
  }

  list<T>(name: string, parse: (value: JsonValue, what: string) => T): T[] {
    return this.optionalList(name, parse) ?? this.#missing(name, 'a list')
  }

  optionalList<T>(name: string, parse: (value: JsonValue, what: string) => T): T[] | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    if (!Array.isArray(value)) return this.#wrong(name, 'a list', value)
    return value.map((item, index) => parse(item, `${name}[${index}] of ${this.#what}`))
  }

  object(name: string): JsonObject {
    const value = this.raw(name)
    if (value === undefined) return this.#missing(name, 'an object')
    return isJsonObject(value) ? value : this.#wrong(name, 'an object', value)
  }

  stringMap(name: string): Readonly<Record<string, string>> {
    return this.optionalStringMap(name) ?? this.#missing(name, 'an object of strings')
  }

  optionalStringMap(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    if (!isJsonObject(value)) return this.#wrong(name, 'an object of strings', value)
    for (const [key, item] of Object.entries(value)) {
      if (typeof item !== 'string') return this.#wrong(`${name}.${key}`, 'a string', item)
    }
    return value as Record<string, string>
  }

  #missing(name: string, expected: string): never {
    throw badRequest(`Invalid ${this.#what}: ${name} is missing; it must be ${expected}`)
  }

  #wrong(name: string, expected: string, value: unknown): never {
    throw badRequest(`Invalid ${this.#what}: ${name} must be ${expected}, but is ${typeName(value)}`)
  }
}

function isInt(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value
}

function toLong(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
  if (typeof value !== 'bigint') return undefined
  return value >= minLong && value <= maxLong ? value : undefined
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'a list'
  switch (typeof value) {
    case 'object':
      return 'an object'
    case 'string':
      return 'a string'
    case 'boolean':
      return 'a boolean'
    case 'bigint':
      return 'an integer beyond 64 bits'
    default:
      return `the number ${String(value)}`
  }
}
