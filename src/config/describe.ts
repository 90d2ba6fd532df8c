import { describeDatabase } from '../database/open.ts'
import type { Config } from './config.ts'
import { type Definition, definition } from './definition.ts'
import { formatDuration, formatSize } from './units.ts'

/**
 * The configuration in the file's form, everything spelled out, safe to be shown: secrets are `(hidden)`, as is all
 * that stands under a purger's options, and durations and sizes carry their units.
 */
export function describeConfig(config: Config): Record<string, unknown> {
  const described = describe(config, definition) as Record<string, Record<string, unknown>>
  return { ...described, database: { ...described.database, url: describeDatabase(config.database.url) } }
}

function describe(value: unknown, definition: Definition): unknown {
  if (value === undefined) return undefined
  if (definition.writeOnly) return '(hidden)'
  if (typeof value === 'number' && definition['x-unit'] === 'duration') return formatDuration(value)
  if (typeof value === 'number' && definition['x-unit'] === 'size') return formatSize(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const branch = definition.oneOf?.find(
    (each) => each.properties?.type?.const === (value as { type?: unknown }).type,
  )
  const { properties, additionalProperties } = branch ?? definition
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const own = properties?.[name]
      if (own !== undefined) return [name, describe(member, own)]
      return typeof additionalProperties === 'object'
        ? [name, describe(member, additionalProperties)]
        : [name, '(hidden)']
    }),
  )
}
