import type { Checked, Definition } from './definition.ts'
import type { KeyPath, Problem } from './problems.ts'
import { suggest } from './suggest.ts'
import { parseDuration, parseSize } from './units.ts'

/**
 * Checks a value against a definition and fills in the defaults. Collects every problem; the value is only to be
 * used when there is none.
 */
export function check<const D extends Definition>(
  value: unknown,
  definition: D,
): { readonly value: Checked<D>; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const checked = checkValue(value, definition, [], problems)
  return { value: checked as Checked<D>, problems }
}

function checkValue(given: unknown, definition: Definition, key: KeyPath, problems: Problem[]): unknown {
  const value = given === undefined ? definition.default : given
  if (definition.oneOf !== undefined) return checkBranch(value, definition.oneOf, key, problems)
  if (definition.type === 'object') return checkObject(value, definition, key, problems)
  if (value === undefined) return undefined
  if (definition.type === 'array') return checkList(value, definition, key, problems)
  if (!isAcceptable(value, definition)) {
    problems.push({
      key,
      message: `is ${kindOf(value)}; expected ${expectation(definition)}.${hint(value, definition)}`,
    })
    return undefined
  }
  if (typeof value === 'string' && definition['x-unit'] === 'duration') return parseDuration(value)
  if (typeof value === 'string' && definition['x-unit'] === 'size') return parseSize(value)
  return value
}

function checkObject(given: unknown, definition: Definition, key: KeyPath, problems: Problem[]): unknown {
  const { properties, additionalProperties = true, required = [] } = definition
  // A section whose lines are all commented out is empty, which YAML reads as null.
  const value = given ?? {}
  if (!isMapping(value)) {
    problems.push({ key, message: `is ${kindOf(value)}; expected a mapping of keys to values.` })
    return undefined
  }
  if (properties === undefined && additionalProperties === true)
    return given === undefined ? undefined : value
  if (properties === undefined) return checkMap(given, definition, key, problems)
  if (Object.keys(value).length < (definition.minProperties ?? 0)) {
    problems.push({ key, message: `is empty; ${missing(definition)}.` })
  }
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(properties, name)) problems.push(unknownKey([...key, name], Object.keys(properties)))
  }
  return Object.fromEntries(
    Object.entries(properties).map(([name, property]) => {
      const path = [...key, name]
      const member = Object.hasOwn(value, name) ? value[name] : undefined
      if (member === undefined && required.includes(name)) {
        problems.push({ key: path, message: `is missing; ${missing(property)}.` })
        return [name, undefined]
      }
      const optional = property.oneOf !== undefined && member === undefined
      return [name, optional ? undefined : checkValue(member, property, path, problems)]
    }),
  )
}

/** A mapping whose keys are names that the user chooses. */
function checkMap(given: unknown, definition: Definition, key: KeyPath, problems: Problem[]): unknown {
  if (given === undefined) return undefined
  const entries = Object.entries((given ?? {}) as Record<string, unknown>)
  const what = definition['x-names'] ?? 'entry'
  if (entries.length < (definition.minProperties ?? 0)) {
    problems.push({ key, message: `is empty; name at least one ${what}, or leave the section out.` })
  }
  const names = new RegExp(definition.propertyNames?.pattern ?? '')
  return Object.fromEntries(
    entries.map(([name, member]) => {
      const path = [...key, name]
      if (!names.test(name)) {
        problems.push({
          key: path,
          message: `is no name for a ${what}; use letters, digits, "_", "-" and ".", at most 128, a letter or digit first.`,
        })
      }
      return [name, checkValue(member, definition.additionalProperties as Definition, path, problems)]
    }),
  )
}

/** One of several mappings, told apart by the constant under `type`. */
function checkBranch(
  value: unknown,
  branches: readonly Definition[],
  key: KeyPath,
  problems: Problem[],
): unknown {
  if (!isMapping(value)) {
    problems.push({ key, message: `is ${kindOf(value)}; expected a mapping of keys to values.` })
    return undefined
  }
  const types = branches.map((branch) => branch.properties?.type?.const as string)
  const index = types.indexOf(value.type as string)
  if (index >= 0) return checkValue(value, branches[index]!, key, problems)
  const state = Object.hasOwn(value, 'type') ? `is ${kindOf(value.type)}` : 'is missing'
  const definition = { enum: types }
  problems.push({
    key: [...key, 'type'],
    message: `${state}; expected ${expectation(definition)}.${hint(value.type, definition)}`,
  })
  return undefined
}

function checkList(value: unknown, definition: Definition, key: KeyPath, problems: Problem[]): unknown {
  if (!Array.isArray(value)) {
    problems.push({ key, message: `is ${kindOf(value)}; expected a list, each on a line "- …".` })
    return undefined
  }
  return value.map((item, index) =>
    checkValue(item, definition.items as Definition, [...key, String(index)], problems),
  )
}

function isAcceptable(value: unknown, definition: Definition): boolean {
  if (definition.enum !== undefined) return definition.enum.includes(value as string)
  if (definition.const !== undefined) return value === definition.const
  const types: readonly string[] = [definition.type ?? []].flat()
  switch (typeof value) {
    case 'boolean':
      return types.includes('boolean')
    case 'number': {
      const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = definition
      return types.includes('integer') && Number.isSafeInteger(value) && value >= minimum && value <= maximum
    }
    case 'string':
      return types.includes('string') && isAcceptableText(value, definition)
    default:
      return false
  }
}

function isAcceptableText(text: string, definition: Definition): boolean {
  if (text.length < (definition.minLength ?? 0)) return false
  if (definition.pattern !== undefined && !new RegExp(definition.pattern).test(text)) return false
  if (definition['x-unit'] === 'duration') return (parseDuration(text) ?? -1) >= leastDuration(definition)
  if (definition['x-unit'] === 'size') return (parseSize(text) ?? 0) >= (definition.minimum ?? 0)
  return true
}

function unknownKey(key: KeyPath, known: readonly string[]): Problem {
  const meant = suggest(key.at(-1)!, known)
  return {
    key,
    message:
      meant === undefined
        ? `is not a key that Moulin knows; here it knows ${known.join(', ')}.`
        : `is not a key that Moulin knows; did you mean ${meant}?`,
  }
}

/** Milliseconds. */
function leastDuration(definition: Definition): number {
  return parseDuration(definition['x-minimum'] ?? '0s')!
}

/** What to do about something that is not there. */
function missing(definition: Definition): string {
  if (definition.type !== 'object') return `expected ${expectation(definition)}`
  return `give at least one of ${Object.keys(definition.properties ?? {}).join(', ')}`
}

/** What stands at the end of "expected …". */
function expectation(definition: Definition): string {
  if (definition.enum !== undefined) return oneOf(definition.enum.map((word) => JSON.stringify(word)))
  if (definition['x-unit'] === 'duration') {
    const least = definition['x-minimum']
    return `a duration${least === undefined ? '' : ` of at least "${least}",`} with its unit: "500ms", "30s", "5m", "2h" or "7d"`
  }
  if (definition['x-unit'] === 'size') return 'a number of bytes, or a size such as "512KiB" or "64MiB"'
  if (definition.type === 'boolean') return 'true or false'
  if (definition.type === 'integer') {
    const { minimum, maximum } = definition
    return maximum === undefined
      ? `an integer of at least ${minimum}`
      : `an integer from ${minimum} to ${maximum}`
  }
  const example = definition.examples?.map((each) => JSON.stringify(each)).join(' or ')
  return example === undefined ? 'a string' : `a string such as ${example}`
}

function hint(value: unknown, definition: Definition): string {
  if (typeof value !== 'string') {
    return typeof value === 'number' && definition['x-unit'] === 'duration' ? ' Add the unit.' : ''
  }
  const meant = definition.enum && suggest(value, definition.enum)
  if (meant !== undefined) return ` Did you mean ${JSON.stringify(meant)}?`
  const unquoted = definition.type === 'integer' ? /^-?\d+$/ : /^(true|false)$/i
  return (definition.type === 'integer' || definition.type === 'boolean') && unquoted.test(value)
    ? ' Remove the quotes.'
    : ''
}

function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** The type of a value in a reader's words, never the value. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'empty'
  if (value === '') return 'an empty string'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'number' || typeof value === 'bigint') {
    return Number.isInteger(value) || typeof value === 'bigint' ? 'an integer' : 'a number with a fraction'
  }
  const kinds: Record<string, string> = { string: 'a string', boolean: 'true or false', object: 'a mapping' }
  return kinds[typeof value] ?? `a ${typeof value}`
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
