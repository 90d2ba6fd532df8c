/** What stands under `purge.options`, read. Errors name the option, and never its value: it may be a secret. */
import { readFileSync } from 'node:fs'

/** A mapping of options, and where it stands. Every reader gives undefined for an option that is missing. */
export class Section {
  readonly #name: string
  readonly #values: Readonly<Record<string, unknown>>

  /** @param name where it stands; empty for the options themselves. */
  constructor(name: string, values: Readonly<Record<string, unknown>>) {
    this.#name = name
    this.#values = values
  }

  /** Throws for an option that is none of these. */
  knows(...names: readonly string[]): void {
    const unknown = Object.keys(this.#values).find((name) => !names.includes(name))
    if (unknown === undefined) return
    throw new Error(`${this.#key(unknown)} is not an option; there are ${names.join(', ')}`)
  }

  required<T>(name: string, value: T | undefined): T {
    if (value === undefined) throw new Error(`${this.#key(name)} is missing`)
    return value
  }

  /** Throws when the option is there although it belongs to another choice. */
  excludes(name: string, belongsTo: string): void {
    if (this.#values[name] !== undefined) throw new Error(`${this.#key(name)} is for ${belongsTo} only`)
  }

  section(name: string): Section | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Error(`${this.#key(name)} must be a mapping of options`)
    }
    return new Section(this.#key(name), value as Record<string, unknown>)
  }

  text(name: string): string | undefined {
    const value = this.#values[name]
    if (value === undefined || (typeof value === 'string' && value !== '')) return value
    throw new Error(`${this.#key(name)} must be a text that is not empty`)
  }

  /** A text in a form that `what` describes. */
  matching(name: string, pattern: RegExp, what: string): string | undefined {
    const text = this.text(name)
    if (text === undefined || pattern.test(text)) return text
    throw new Error(`${this.#key(name)} must be ${what}`)
  }

  /** A list of at least one text in a form that `what` describes. */
  listOf(name: string, pattern: RegExp, what: string): string[] | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    const fits = (each: unknown) => typeof each === 'string' && pattern.test(each)
    if (Array.isArray(value) && value.length > 0 && value.every(fits)) return value as string[]
    throw new Error(`${this.#key(name)} must be a list of ${what}, with at least one of them`)
  }

  boolean(name: string): boolean | undefined {
    const value = this.#values[name]
    if (value === undefined || typeof value === 'boolean') return value
    throw new Error(`${this.#key(name)} must be true or false`)
  }

  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.#values[name]
    if (value === undefined || choices.includes(value as T)) return value as T | undefined
    throw new Error(`${this.#key(name)} must be one of ${choices.join(', ')}`)
  }

  integer(name: string, least: number, most: number): number | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
      return value as number
    throw new Error(`${this.#key(name)} must be an integer from ${least} to ${most}`)
  }

  /** Milliseconds. */
  duration(name: string): number | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    const [, amount, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(String(value)) ?? []
    const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
    const milliseconds = Number(amount) * units[unit as keyof typeof units]
    if (milliseconds >= 1) return milliseconds
    throw new Error(`${this.#key(name)} must be a duration with its unit, such as "90s", "30m" or "2h"`)
  }

  /** The content of the file that the option names. */
  file(name: string): string | undefined {
    const path = this.text(name)
    if (path === undefined) return undefined
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw new Error(`${this.#key(name)} names a file that cannot be read: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  #key(name: string): string {
    return this.#name === '' ? name : `${this.#name}.${name}`
  }
}
