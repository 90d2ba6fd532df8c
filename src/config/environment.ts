import { isMapping } from './check.ts'
import type { Definition } from './definition.ts'
import type { KeyPath, Problem } from './problems.ts'
import { suggest } from './suggest.ts'

/** A key that an environment variable sets. */
export interface Override {
  readonly key: KeyPath
  readonly value: unknown
  readonly variable: string
}

const prefix = 'MOULIN_'

/**
 * Reads the overrides among the environment variables: `MOULIN_SERVER__PORT=8282` sets `server.port`. Two underscores
 * go one level down; within a level, case and underscores do not matter, so that `MAX_BODY_BYTES` is `maxBodyBytes`.
 * A warehouse is found by its name in the same way (`MOULIN_WAREHOUSES__EU_LAKE__LOCATION` is `eu-lake`); one that the
 * file does not have is added under its name in lower case. Variables without two underscores are not looked at.
 */
export function readOverrides(
  env: NodeJS.ProcessEnv,
  definition: Definition,
  file: Readonly<Record<string, unknown>>,
  problems: Problem[],
): Override[] {
  const overrides: Override[] = []
  for (const variable of Object.keys(env).sort()) {
    if (!variable.startsWith(prefix) || !variable.slice(prefix.length).includes('__')) continue
    const found = locate(variable, definition, file, problems)
    if (found === undefined) continue
    const clash = overrides.find(({ key }) => key.join('\0') === found.key.join('\0'))
    if (clash !== undefined) {
      problems.push({ key: found.key, message: `is set twice, by ${clash.variable} and ${variable}.` })
    }
    overrides.push({ key: found.key, value: coerce(env[variable]!, found.definition), variable })
  }
  return overrides
}

function locate(
  variable: string,
  root: Definition,
  file: Readonly<Record<string, unknown>>,
  problems: Problem[],
): { key: KeyPath; definition: Definition } | undefined {
  let definition = root
  let present: unknown = file
  const key: string[] = []
  for (const step of variable.slice(prefix.length).split('__')) {
    const properties = propertiesOf(definition)
    const written = isMapping(present) ? Object.keys(present) : []
    const isNamed = typeof definition.additionalProperties === 'object'
    const isFree = definition.type === 'object' && !isNamed && Object.keys(properties).length === 0
    const matches = [...new Set([...Object.keys(properties), ...(isNamed || isFree ? written : [])])].filter(
      (name) => fold(name) === fold(step),
    )
    if (matches.length > 1) {
      problems.push({
        key,
        message: `cannot be set by ${variable}: ${matches.join(' and ')} both fit ${step}. Set it in the file.`,
      })
      return undefined
    }
    const name = matches[0] ?? (isNamed ? step.toLowerCase() : isFree ? camelCase(step) : undefined)
    if (name === undefined || step === '') {
      const meant = suggest(step, Object.keys(properties))
      problems.push({
        key,
        message: `has no key for the ${step || 'empty part'} of ${variable};${
          meant === undefined
            ? ` it knows ${Object.keys(properties).join(', ') || 'none: remove what follows'}.`
            : ` did you mean ${meant}?`
        }`,
      })
      return undefined
    }
    key.push(name)
    present = isMapping(present) ? present[name] : undefined
    definition = properties[name] ?? (isNamed ? (definition.additionalProperties as Definition) : {})
    if (isFree) definition = { type: 'object' }
  }
  return { key, definition }
}

function propertiesOf(definition: Definition): Readonly<Record<string, Definition>> {
  return Object.assign({}, definition.properties, ...(definition.oneOf ?? []).map((each) => each.properties))
}

/** A variable is always a text; the definition tells what is meant. What does not fit is left for the check to name. */
function coerce(text: string, definition: Definition): unknown {
  const type = definition.type
  if ((type === 'integer' || definition['x-unit'] === 'size') && /^-?\d+$/.test(text)) return Number(text)
  if (type === 'boolean' && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  if (type === 'array') return text === '' ? [] : text.split(',').map((item) => item.trim())
  return text
}

function fold(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '')
}

function camelCase(step: string): string {
  return step.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
