/**
 * The members of one JSON object that is too large to be parsed at once, as its bytes arrive. Members that nobody asks
 * for cost no memory; of a member that is an array, each element is given by itself.
 */
import {
  backslash,
  closeBrace,
  closeBracket,
  colon,
  comma,
  maxDepth,
  openBrace,
  openBracket,
  quote,
} from './characters.ts'
import { JsonError, type JsonValue, parseJson } from './exact-json.ts'

/** Bytes of one member, or of one element of a member that is an array, as far as they are kept in memory. */
export const maxMemberBytes = 16 * 1024 * 1024
/** Bytes of a member's name. */
const maxNameBytes = 64 * 1024

/** A member, or one element of a member that is an array. */
export interface Member {
  readonly name: string
  /** The element's place in the array; undefined for a member that is no array. */
  readonly index: number | undefined
  readonly value: JsonValue
}

/**
 * Gives the members with these names, in the order of the text, some at a time. Those that nobody asks for are passed
 * over: their strings and brackets must be sound, nothing else is looked at. Throws JsonError for what is no JSON
 * object, ends too early, has one of the members twice, or one larger than {@link maxMemberBytes}.
 */
export async function* readMembers(
  chunks: AsyncIterable<Buffer>,
  names: ReadonlySet<string>,
): AsyncGenerator<readonly Member[]> {
  const scanner = new MemberScanner(names)
  for await (const chunk of chunks) yield scanner.push(chunk)
  scanner.end()
}

/** Where in the object the scanner is: `closed` behind the end of an array that was given by elements. */
type Part = 'before' | 'key' | 'value' | 'elements' | 'closed' | 'after'

class MemberScanner {
  readonly #names: ReadonlySet<string>
  /** Of the members that are asked for. */
  readonly #seen = new Set<string>()
  #isEmpty = true
  /** The bytes that close what is open. */
  readonly #closers: number[] = []
  #part: Part = 'before'
  #name = ''
  #count = 0
  #inString = false
  #escaped = false
  /** What of the current key, value or element earlier chunks held; undefined while it is passed over. */
  #pieces: Buffer[] | undefined = []
  /** Bytes of the pieces. */
  #kept = 0
  #chunk: Buffer = Buffer.alloc(0)
  /** Where in the chunk the current key, value or element begins. */
  #from = 0
  #members: Member[] = []
  /** Bytes of the chunks before this one. */
  #offset = 0

  constructor(names: ReadonlySet<string>) {
    this.#names = names
  }

  push(chunk: Buffer): readonly Member[] {
    this.#chunk = chunk
    this.#from = 0
    this.#members = []
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === backslash) this.#escaped = true
        else if (byte === quote) this.#inString = false
      } else if (byte === quote) {
        this.#inString = true
      } else if (byte === openBrace || byte === openBracket) {
        this.#open(byte, at)
      } else if (byte === closeBrace || byte === closeBracket) {
        this.#close(byte, at)
      } else if (byte === comma) {
        this.#separate(at)
      } else if (byte === colon && this.#part === 'key' && this.#closers.length === 1) {
        this.#takeKey(at)
      }
    }
    if (this.#pieces) {
      this.#requireSpace(chunk.length)
      this.#pieces.push(chunk.subarray(this.#from))
      this.#kept += chunk.length - this.#from
    }
    this.#offset += chunk.length
    return this.#members
  }

  /** Throws JsonError when the object has not ended. */
  end(): void {
    this.#chunk = Buffer.alloc(0)
    this.#from = 0
    if (this.#part !== 'after') throw new JsonError('JSON ends too early', this.#offset)
    this.#requireBlank(0)
  }

  #open(byte: number, at: number): void {
    const depth = this.#closers.push(byte === openBrace ? closeBrace : closeBracket)
    if (depth > maxDepth)
      throw new JsonError(`JSON is nested deeper than ${maxDepth} levels`, this.#offset + at)
    if (depth === 1) {
      if (this.#part !== 'before' || byte !== openBrace) throw this.#unexpected(at)
      this.#requireBlank(at)
      this.#begin('key', at + 1)
    } else if (depth === 2 && this.#part === 'value' && byte === openBracket && this.#pieces) {
      this.#requireBlank(at)
      this.#count = 0
      this.#begin('elements', at + 1)
    }
  }

  #close(byte: number, at: number): void {
    if (this.#closers.pop() !== byte) throw this.#unexpected(at)
    const depth = this.#closers.length
    if (depth === 1 && this.#part === 'elements') {
      if (this.#count > 0 || !this.#isBlank(at)) this.#take(at)
      this.#begin('closed', at + 1)
    } else if (depth === 0) {
      if (this.#part === 'key' && this.#isEmpty) this.#requireBlank(at)
      else this.#endMember(at)
      this.#begin('after', at + 1)
    }
  }

  #separate(at: number): void {
    const depth = this.#closers.length
    if (depth === 0) throw this.#unexpected(at)
    if (depth === 1) {
      this.#endMember(at)
      this.#begin('key', at + 1)
    } else if (depth === 2 && this.#part === 'elements') {
      this.#take(at)
      this.#begin('elements', at + 1)
    }
  }

  #takeKey(at: number): void {
    const name = parseJson(this.#text(at))
    if (typeof name !== 'string') throw this.#unexpected(at)
    const wanted = this.#names.has(name)
    if (wanted && this.#seen.has(name)) {
      throw new JsonError(`JSON has the member ${JSON.stringify(name)} twice`, this.#offset + at)
    }
    if (wanted) this.#seen.add(name)
    this.#isEmpty = false
    this.#name = name
    this.#begin('value', at + 1)
    if (!wanted) this.#pieces = undefined
  }

  #endMember(at: number): void {
    if (this.#part === 'closed') this.#requireBlank(at)
    else if (this.#part !== 'value') throw this.#unexpected(at)
    else if (this.#pieces) this.#take(at)
  }

  #take(at: number): void {
    const index = this.#part === 'elements' ? this.#count++ : undefined
    this.#members.push({ name: this.#name, index, value: parseJson(this.#text(at)) })
  }

  #begin(part: Part, from: number): void {
    this.#part = part
    this.#from = from
    this.#pieces = []
    this.#kept = 0
  }

  #text(end: number): Buffer {
    this.#requireSpace(end)
    const last = this.#chunk.subarray(this.#from, end)
    return this.#pieces!.length === 0 ? last : Buffer.concat([...this.#pieces!, last])
  }

  /** Throws JsonError when what is kept, with this chunk up to `end`, is too much to be what it should be. */
  #requireSpace(end: number): void {
    const isName = this.#part === 'key'
    const most = isName ? maxNameBytes : maxMemberBytes
    if (this.#kept + end - this.#from <= most) return
    const what = isName
      ? 'a name'
      : this.#name === ''
        ? 'white space'
        : `a part of ${JSON.stringify(this.#name)}`
    throw new JsonError(`JSON has ${what} of more than ${most} bytes`, this.#offset + end)
  }

  #isBlank(end: number): boolean {
    return this.#text(end).every((byte) => byte === 32 || byte === 10 || byte === 13 || byte === 9)
  }

  #requireBlank(end: number): void {
    if (!this.#isBlank(end)) throw this.#unexpected(end)
  }

  #unexpected(at: number): JsonError {
    return new JsonError('Unexpected character in JSON', this.#offset + at)
  }
}
