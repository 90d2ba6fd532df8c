import { badRequest } from '../errors.ts'
import type { JsonValue } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import { columnIndex, type Schema } from './schema.ts'
import { isTransform } from './transforms.ts'

export interface PartitionSpec {
  readonly specId: number
  readonly fields: readonly PartitionField[]
}

export interface PartitionField {
  readonly sourceId: number
  /** Undefined only in a request: the table assigns one. */
  readonly fieldId: number
  readonly name: string
  readonly transform: string
}

/** As a client sends it: ids may be missing. */
export interface UnboundPartitionSpec {
  readonly specId: number | undefined
  readonly fields: readonly UnboundPartitionField[]
}

export interface UnboundPartitionField {
  readonly sourceId: number
  readonly fieldId: number | undefined
  readonly name: string
  readonly transform: string
}

/** The first id of a partition field is one more. */
export const partitionIdStart = 999

export const unpartitioned: PartitionSpec = { specId: 0, fields: [] }

export function parseUnboundPartitionSpec(
  value: JsonValue | undefined,
  what = 'partition spec',
): UnboundPartitionSpec {
  const fields = new Fields(value, what)
  return { specId: fields.optionalInt('spec-id'), fields: fields.list('fields', parsePartitionField) }
}

/** A stored spec. Field ids that v1 tables lack are counted from 1000. */
export function parsePartitionSpec(value: JsonValue | undefined, what = 'partition spec'): PartitionSpec {
  const spec = parseUnboundPartitionSpec(value, what)
  return { specId: spec.specId ?? 0, fields: withSequentialIds(spec.fields) }
}

/** The bare list of fields that v1 calls `partition-spec`. */
export function parsePartitionFields(
  fields: readonly UnboundPartitionField[],
  specId: number,
): PartitionSpec {
  return { specId, fields: withSequentialIds(fields) }
}

function withSequentialIds(fields: readonly UnboundPartitionField[]): PartitionField[] {
  return fields.map((field, index) => ({ ...field, fieldId: field.fieldId ?? partitionIdStart + 1 + index }))
}

export function parsePartitionField(value: JsonValue, what: string): UnboundPartitionField {
  const fields = new Fields(value, what)
  if (fields.has('source-ids')) {
    throw badRequest(`Invalid ${what}: multi-argument transforms (source-ids) are not supported`)
  }
  const transform = fields.string('transform').toLowerCase()
  if (!isTransform(transform)) {
    throw badRequest(`Invalid ${what}: unknown transform ${JSON.stringify(transform)}`)
  }
  return {
    sourceId: fields.int('source-id'),
    fieldId: fields.optionalInt('field-id'),
    name: fields.string('name'),
    transform,
  }
}

export function partitionSpecJson(spec: PartitionSpec): JsonValue {
  return { 'spec-id': spec.specId, fields: spec.fields.map(partitionFieldJson) }
}

export function partitionFieldJson(field: PartitionField): JsonValue {
  return {
    'source-id': field.sourceId,
    'field-id': field.fieldId,
    name: field.name,
    transform: field.transform,
  }
}

/** Same sources, names and transforms in the same order, whatever the ids. */
export function compatibleSpecs(a: UnboundPartitionSpec, b: UnboundPartitionSpec): boolean {
  return (
    a.fields.length === b.fields.length &&
    a.fields.every((field, index) => {
      const other = b.fields[index]!
      return (
        field.sourceId === other.sourceId && field.name === other.name && field.transform === other.transform
      )
    })
  )
}

/**
 * Checks that a schema can be partitioned so: sources exist, are primitive and not inside lists or maps; names are
 * unique and do not shadow a column (but an identity field may bear its source's name). Throws BadRequestException.
 */
export function checkPartitionSpec(spec: UnboundPartitionSpec, schema: Schema): void {
  const names = new Set<string>()
  const sourcesByTransform = new Set<string>()
  for (const field of spec.fields) {
    const problem = (why: string) =>
      badRequest(`Invalid partition field ${JSON.stringify(field.name)}: ${why}`)
    if (field.name === '') throw problem('the name must not be empty')
    if (names.has(field.name)) throw problem('the name is used twice')
    names.add(field.name)
    const source = columnIndex(schema).get(field.sourceId)
    const clash = [...columnIndex(schema).values()].find(({ name }) => name === field.name)
    if (field.transform === 'void') {
      if (clash && clash.id !== field.sourceId) throw problem('a column has that name')
      continue
    }
    if (!source) throw problem(`Cannot find source column for partition field: source-id ${field.sourceId}`)
    if (typeof source.type !== 'string')
      throw problem(`Cannot partition by non-primitive source field ${source.name}`)
    if (source.parents.some(({ type }) => typeof type !== 'string' && type.type !== 'struct')) {
      throw problem(`Invalid partition field parent of ${source.name}: it is inside a list or map`)
    }
    if (clash && !(field.transform === 'identity' && clash.id === field.sourceId))
      throw problem('a column has that name')
    const key = `${field.sourceId} ${field.transform}`
    if (sourcesByTransform.has(key)) throw problem(`the source ${source.name} has that transform already`)
    sourcesByTransform.add(key)
  }
}

/** v1 has no field ids: they are counted from 1000. */
export function hasSequentialIds(spec: PartitionSpec): boolean {
  return spec.fields.every(({ fieldId }, index) => fieldId === partitionIdStart + 1 + index)
}

/** The highest field id; {@link partitionIdStart} for none. */
export function lastPartitionFieldId(spec: PartitionSpec): number {
  return spec.fields.reduce((highest, { fieldId }) => Math.max(highest, fieldId), partitionIdStart)
}
