/**
 * Decoders made for one writer's schema: they read the few fields that are asked for, found by field id, and step over
 * everything else. They are generated as JavaScript, because a purge of ten million files spends its time here; the
 * code is made of numbers and of the words in this file only, never of what stands in the schema.
 */
import { isUtf8 } from 'node:buffer'
import { CorruptManifestError, UnsupportedManifestError } from '../errors.ts'
import { type AvroField, type AvroType, minimumSize } from './schema.ts'

/**
 * A field to read, or a record with fields to read in it: what has the same id or name elsewhere (a partition column
 * named `file_path`) is something else. `present` tells only whether a value other than null is there.
 */
export type Slot = ValueSlot | RecordSlot

export interface ValueSlot {
  readonly kind: 'number' | 'string' | 'present'
  readonly fieldId: number
  /** Looked for where a writer left out every field id. */
  readonly name: string
}

export interface RecordSlot {
  readonly kind: 'record'
  readonly fieldId: number
  readonly name: string
  readonly slots: readonly Slot[]
}

/** Value of a slot: number, string or boolean; undefined when it is null or the writer has no such field. */
export type SlotValue = number | string | boolean | undefined

/**
 * Decodes the next `count` records of a block, from the byte at `start`, and adds them to `records`. The byte after
 * them. Throws CorruptManifestError when they reach beyond the block.
 */
export type RecordDecoder<T> = (block: Buffer, start: number, count: number, records: T[]) => number

/**
 * Makes a decoder whose records are what `make` makes of the values of all value slots, in their order. Throws
 * UnsupportedManifestError when a field has a type that it cannot have.
 */
export function compileDecoder<T>(
  schema: AvroType,
  slots: readonly Slot[],
  make: (...values: SlotValue[]) => T,
): RecordDecoder<T> {
  if (schema.kind !== 'record') throw new UnsupportedManifestError('The Avro file does not hold records')
  const generator = new Generator(slots, !hasFieldIds(schema))
  const body = generator.readRecord(schema.fields, slots)
  const names = [...generator.targets.values()]
  const source = `
    const end = b.length
    for (let r = 0; r < count; r++) {
      let ${names.map((name) => `${name} = undefined`).join(', ')};
      ${body}
      if (p > end) throw cut()
      records.push(make(${names.join(', ')}))
    }
    return p
  `
  const parameters = ['b', 'p', 'count', 'records', 'make', 'cut', 'bad', 'wide', 'checkText', 'number']
  const decode = new Function(...parameters, source) as (...args: unknown[]) => number
  const number = { value: 0 }
  return (block, start, count, records) =>
    decode(block, start, count, records, make, cut, bad, wide, checkText, number)
}

function hasFieldIds(type: AvroType): boolean {
  switch (type.kind) {
    case 'record':
      return type.fields.some((field) => field.fieldId !== undefined || hasFieldIds(field.type))
    case 'union':
      return type.branches.some(hasFieldIds)
    default:
      return false
  }
}

function cut(): CorruptManifestError {
  return new CorruptManifestError('A record reaches beyond the end of its block')
}
function bad(what: string): CorruptManifestError {
  return new CorruptManifestError(`A block holds ${what}`)
}

/** A path read with replacement characters would be another path, whose absence would pass for success. */
function checkText(bytes: Buffer, start: number, end: number): void {
  if (!isUtf8(bytes.subarray(start, end))) throw bad('text that is not UTF-8')
}

/** Factor of the byte after the tenth: a varint of 64 bits has none. */
const beyondLong = 2 ** 70

/**
 * A zigzag varint of any length: exact from -2^52 to 2^53, which no length, count, status or file size exceeds. Where
 * it ends.
 */
function wide(bytes: Buffer, start: number, number: { value: number }): number {
  let at = start
  let value = 0
  for (let factor = 1, more = true; more; factor *= 128) {
    if (factor === beyondLong) throw bad('a number of more than 64 bits')
    const byte = bytes[at++]
    if (byte === undefined) throw cut()
    value += (byte & 127) * factor
    more = byte > 127
  }
  number.value = value % 2 === 0 ? value / 2 : -(value + 1) / 2
  return at
}

function valueSlots(slots: readonly Slot[]): ValueSlot[] {
  return slots.flatMap((slot) => (slot.kind === 'record' ? valueSlots(slot.slots) : [slot]))
}

class Generator {
  /** The variable of each value slot, in their order. */
  readonly targets: ReadonlyMap<ValueSlot, string>
  readonly #byName: boolean
  #variables = 0

  constructor(slots: readonly Slot[], byName: boolean) {
    this.targets = new Map(valueSlots(slots).map((slot, index) => [slot, `v${index}`]))
    this.#byName = byName
  }

  /** Code that steps over a record's fields, reading those that have a slot. */
  readRecord(fields: readonly AvroField[], slots: readonly Slot[]): string {
    return fields
      .map((field) => {
        const slot = slots.find(({ fieldId, name }) =>
          this.#byName ? name === field.name : fieldId === field.fieldId,
        )
        return slot ? this.#read(field.type, slot) : this.#skip(field.type)
      })
      .join('\n')
  }

  #read(type: AvroType, slot: Slot): string {
    if (type.kind === 'union') return this.#union(type.branches, (branch) => this.#read(branch, slot))
    if (type.kind === 'null') return ''
    if (slot.kind === 'record') {
      if (type.kind === 'record') return this.readRecord(type.fields, slot.slots)
    } else {
      const target = this.targets.get(slot)!
      if (slot.kind === 'present') return `${target} = true\n${this.#skip(type)}`
      if (slot.kind === 'number' && (type.kind === 'int' || type.kind === 'long')) return this.#number(target)
      if (slot.kind === 'string' && (type.kind === 'string' || type.kind === 'bytes'))
        return this.#text(target)
    }
    throw new UnsupportedManifestError(`Field ${slot.name} (${slot.fieldId}) is of Avro type ${type.kind}`)
  }

  #text(target: string): string {
    const length = this.#variable()
    return `let ${length}; ${this.#number(length)}
      if (${length} < 0 || p + ${length} > end) throw cut()
      ${target} = b.utf8Slice(p, p += ${length})
      if (${target}.includes('\\ufffd')) checkText(b, p - ${length}, p)`
  }

  #union(branches: readonly AvroType[], code: (branch: AvroType) => string): string {
    const branch = this.#variable()
    const cases = branches.map((type, index) => `case ${index}: { ${code(type)}; break }`)
    return `let ${branch}; ${this.#number(branch)}
      switch (${branch}) { ${cases.join('\n')} default: throw p > end ? cut() : bad('an unknown branch of a union') }`
  }

  #skip(type: AvroType): string {
    switch (type.kind) {
      case 'null':
        return ''
      case 'boolean':
        return 'p++'
      case 'int':
      case 'long':
        return 'while (b[p++] & 128);'
      case 'float':
        return 'p += 4'
      case 'double':
        return 'p += 8'
      case 'fixed':
        return `p += ${type.size}`
      case 'bytes':
      case 'string':
        return this.#skipBytes()
      case 'record':
        return type.fields.map((field) => this.#skip(field.type)).join('\n')
      case 'union':
        return this.#union(type.branches, (branch) => this.#skip(branch))
      case 'array':
        return this.#skipItems(minimumSize(type.items), this.#skip(type.items))
      case 'map':
        return this.#skipItems(1 + minimumSize(type.items), `${this.#skipBytes()}\n${this.#skip(type.items)}`)
    }
  }

  #skipBytes(): string {
    const length = this.#variable()
    return `{ let ${length}; ${this.#number(length)}
      if (${length} < 0 || (p += ${length}) > end) throw cut() }`
  }

  /** Items come in blocks; a negative count is followed by the block's size in bytes, so that it can be jumped over. */
  #skipItems(itemSize: number, skipItem: string): string {
    const count = this.#variable()
    const bytes = this.#variable()
    // Items that take no space could be counted by the billions.
    const items =
      itemSize === 0 ? '' : `for (; ${count} > 0; ${count}--) { ${skipItem}\nif (p > end) throw cut() }`
    return `for (;;) {
      let ${count}; ${this.#number(count)}
      if (${count} === 0) break
      if (p > end) throw cut()
      if (${count} < 0) {
        let ${bytes}; ${this.#number(bytes)}
        if (${bytes} < 0 || (p += ${bytes}) > end) throw cut()
      } else { ${items} }
    }`
  }

  /** A zigzag varint into a variable. Almost all have one byte to three, which small integers hold. */
  #number(target: string): string {
    const byte = this.#variable()
    return `{
      let ${byte} = b[p++]
      ${target} = ${byte} & 127
      if (${byte} > 127) {
        ${byte} = b[p++]; ${target} |= (${byte} & 127) << 7
        if (${byte} > 127) {
          ${byte} = b[p++]; ${target} |= (${byte} & 127) << 14
        }
      }
      if (${byte} > 127) { p = wide(b, p - 3, number); ${target} = number.value }
      else ${target} = (${target} >>> 1) ^ -(${target} & 1)
    }`
  }

  #variable(): string {
    return `x${this.#variables++}`
  }
}
