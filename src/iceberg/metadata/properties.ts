import type { Properties } from './model.ts'

/** Names that stand for parts of the metadata itself and are never stored as properties. */
const reserved = new Set([
  'format-version',
  'uuid',
  'snapshot-count',
  'current-snapshot-summary',
  'current-snapshot-id',
  'current-snapshot-timestamp-ms',
  'current-schema',
  'default-partition-spec',
  'default-sort-order',
])

/** The properties without those that only stand for parts of the metadata. */
export function withoutReserved(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !reserved.has(name)))
}

/** A property that is a whole number; the default when it is missing or none. */
export function integerProperty(properties: Properties, name: string, fallback: number): number {
  const value = Object.hasOwn(properties, name) ? properties[name]! : ''
  return /^-?\d{1,9}$/.test(value) ? Number(value) : fallback
}
