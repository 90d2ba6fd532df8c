/** What must hold for a commit to be applied: the optimistic lock of the REST protocol. */
import { badRequest, IcebergError } from '../errors.ts'
import type { JsonValue } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import type { TableMetadata } from './model.ts'

export type TableRequirement =
  | { readonly type: 'assert-create' }
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  /** `snapshotId` undefined: the ref must not exist. */
  | { readonly type: 'assert-ref-snapshot-id'; readonly ref: string; readonly snapshotId: bigint | undefined }
  | { readonly type: 'assert-last-assigned-field-id'; readonly lastAssignedFieldId: number }
  | { readonly type: 'assert-current-schema-id'; readonly currentSchemaId: number }
  | { readonly type: 'assert-last-assigned-partition-id'; readonly lastAssignedPartitionId: number }
  | { readonly type: 'assert-default-spec-id'; readonly defaultSpecId: number }
  | { readonly type: 'assert-default-sort-order-id'; readonly defaultSortOrderId: number }

/**
 * Parses a commit's `requirements`; missing means none. Throws BadRequestException for an unknown type, and for
 * assert-create beside others.
 */
export function parseTableRequirements(json: JsonValue | undefined): TableRequirement[] {
  const fields = new Fields({ requirements: json ?? null }, 'commit')
  const requirements = fields.optionalList('requirements', parseTableRequirement) ?? []
  if (requirements.length > 1 && requirements.some(({ type }) => type === 'assert-create')) {
    throw badRequest('Invalid create requirements: assert-create must be the only requirement')
  }
  return requirements
}

function parseTableRequirement(value: JsonValue, what: string): TableRequirement {
  const fields = new Fields(value, what)
  const type = fields.string('type')
  switch (type) {
    case 'assert-create':
      return { type }
    case 'assert-table-uuid':
      return { type, uuid: fields.string('uuid') }
    case 'assert-ref-snapshot-id':
      return { type, ref: fields.string('ref'), snapshotId: fields.optionalLong('snapshot-id') }
    case 'assert-last-assigned-field-id':
      return { type, lastAssignedFieldId: fields.int('last-assigned-field-id') }
    case 'assert-current-schema-id':
      return { type, currentSchemaId: fields.int('current-schema-id') }
    case 'assert-last-assigned-partition-id':
      return { type, lastAssignedPartitionId: fields.int('last-assigned-partition-id') }
    case 'assert-default-spec-id':
      return { type, defaultSpecId: fields.int('default-spec-id') }
    case 'assert-default-sort-order-id':
      return { type, defaultSortOrderId: fields.int('default-sort-order-id') }
    default:
      throw badRequest(`Cannot check ${what}: unknown requirement ${JSON.stringify(type)}`)
  }
}

/**
 * Checks requirements against the current metadata; undefined when there is no table. Throws CommitFailedException
 * with the wording of Iceberg Java, which clients and the compatibility kit read.
 */
export function checkRequirements(
  base: TableMetadata | undefined,
  requirements: readonly TableRequirement[],
): void {
  for (const requirement of requirements) {
    const problem = base ? violation(base, requirement) : missingTable(requirement)
    if (problem !== undefined) {
      throw new IcebergError('CommitFailedException', `Requirement failed: ${problem}`)
    }
  }
}

function missingTable(requirement: TableRequirement): string | undefined {
  if (requirement.type === 'assert-create') return undefined
  if (requirement.type === 'assert-ref-snapshot-id' && requirement.snapshotId === undefined) return undefined
  return 'current table metadata is missing'
}

function violation(base: TableMetadata, requirement: TableRequirement): string | undefined {
  const changed = (what: string, expected: number, actual: number) =>
    expected === actual ? undefined : `${what} changed: expected id ${expected} != ${actual}`
  switch (requirement.type) {
    case 'assert-create':
      return 'table already exists'
    case 'assert-table-uuid':
      return base.tableUuid?.toLowerCase() === requirement.uuid.toLowerCase()
        ? undefined
        : `UUID does not match: expected ${base.tableUuid} != ${requirement.uuid}`
    case 'assert-ref-snapshot-id':
      return refViolation(base, requirement.ref, requirement.snapshotId)
    case 'assert-last-assigned-field-id':
      return changed('last assigned field id', requirement.lastAssignedFieldId, base.lastColumnId)
    case 'assert-current-schema-id':
      return changed('current schema', requirement.currentSchemaId, base.currentSchemaId)
    case 'assert-last-assigned-partition-id':
      return changed('last assigned partition id', requirement.lastAssignedPartitionId, base.lastPartitionId)
    case 'assert-default-spec-id':
      return changed('default partition spec', requirement.defaultSpecId, base.defaultSpecId)
    case 'assert-default-sort-order-id':
      return changed('default sort order', requirement.defaultSortOrderId, base.defaultSortOrderId)
  }
}

function refViolation(base: TableMetadata, name: string, expected: bigint | undefined): string | undefined {
  const ref = Object.hasOwn(base.refs, name) ? base.refs[name] : undefined
  if (!ref) {
    return expected === undefined ? undefined : `branch or tag ${name} is missing, expected ${expected}`
  }
  if (expected === undefined) return `${ref.type} ${name} was created concurrently`
  return expected === ref.snapshotId
    ? undefined
    : `${ref.type} ${name} has changed: expected id ${expected} != ${ref.snapshotId}`
}
