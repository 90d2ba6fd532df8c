import { describe, expect, it } from 'vitest'
import { append, commit, newTable, refusal, setRef, uuid } from '../../../test/metadata/tables.ts'
import { parseJson } from '../json/exact-json.ts'
import { checkRequirements, parseTableRequirements } from './requirements.ts'

const table = commit(commit(newTable(), append(2n ** 63n - 1n, { 'sequence-number': 1 })), [
  setRef('tagged', 2n ** 63n - 1n, { type: 'tag' }),
])

const check = (json: string, base: typeof table | undefined = table) =>
  checkRequirements(base, parseTableRequirements(parseJson(json)))
const checkNoTable = (json: string) => checkRequirements(undefined, parseTableRequirements(parseJson(json)))

describe('requirements', () => {
  it.each([
    `{"type":"assert-table-uuid","uuid":"${uuid.toUpperCase()}"}`,
    '{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":9223372036854775807}',
    '{"type":"assert-ref-snapshot-id","ref":"other","snapshot-id":null}',
    '{"type":"assert-ref-snapshot-id","ref":"toString"}',
    '{"type":"assert-last-assigned-field-id","last-assigned-field-id":2}',
    '{"type":"assert-current-schema-id","current-schema-id":0}',
    '{"type":"assert-last-assigned-partition-id","last-assigned-partition-id":999}',
    '{"type":"assert-default-spec-id","default-spec-id":0}',
    '{"type":"assert-default-sort-order-id","default-sort-order-id":0}',
  ])('%s holds', (json) => {
    expect(() => check(`[${json}]`)).not.toThrow()
  })

  it.each([
    ['{"type":"assert-create"}', 'table already exists'],
    ['{"type":"assert-table-uuid","uuid":"x"}', `UUID does not match: expected ${uuid} != x`],
    [
      '{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":9223372036854775806}',
      'branch main has changed: expected id 9223372036854775806 != 9223372036854775807',
    ],
    [
      '{"type":"assert-ref-snapshot-id","ref":"tagged","snapshot-id":1}',
      'tag tagged has changed: expected id 1 != 9223372036854775807',
    ],
    [
      '{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":null}',
      'branch main was created concurrently',
    ],
    ['{"type":"assert-ref-snapshot-id","ref":"b","snapshot-id":7}', 'branch or tag b is missing, expected 7'],
    [
      '{"type":"assert-last-assigned-field-id","last-assigned-field-id":1}',
      'last assigned field id changed: expected id 1 != 2',
    ],
    [
      '{"type":"assert-current-schema-id","current-schema-id":4}',
      'current schema changed: expected id 4 != 0',
    ],
    [
      '{"type":"assert-last-assigned-partition-id","last-assigned-partition-id":1}',
      'last assigned partition id changed: expected id 1 != 999',
    ],
    [
      '{"type":"assert-default-spec-id","default-spec-id":4}',
      'default partition spec changed: expected id 4 != 0',
    ],
    [
      '{"type":"assert-default-sort-order-id","default-sort-order-id":4}',
      'default sort order changed: expected id 4 != 0',
    ],
  ])('%s fails as in Iceberg Java', (json, message) => {
    expect(refusal(() => check(`[${json}]`))).toBe(
      `409 CommitFailedException: Requirement failed: ${message}`,
    )
  })

  it('of a table that is not there: only its absence holds', () => {
    expect(() => checkNoTable('[{"type":"assert-create"}]')).not.toThrow()
    expect(() => checkNoTable('[{"type":"assert-ref-snapshot-id","ref":"main"}]')).not.toThrow()
    expect(refusal(() => checkNoTable(`[{"type":"assert-table-uuid","uuid":"${uuid}"}]`))).toBe(
      '409 CommitFailedException: Requirement failed: current table metadata is missing',
    )
  })

  it('may be missing', () => {
    expect(parseTableRequirements(undefined)).toEqual([])
    expect(parseTableRequirements(null)).toEqual([])
  })

  it.each([
    [
      '[{"type":"assert-create"},{"type":"assert-current-schema-id","current-schema-id":0}]',
      'must be the only requirement',
    ],
    ['[{"type":"assert-view-uuid","uuid":"x"}]', 'unknown requirement "assert-view-uuid"'],
    ['[{"type":"assert-table-uuid"}]', 'uuid is missing'],
    ['[{"uuid":"x"}]', 'type is missing'],
    ['{}', 'requirements must be a list'],
  ])('%s is a bad request', (json, message) => {
    expect(refusal(() => check(json))).toMatch(/^400 BadRequestException: /)
    expect(refusal(() => check(json))).toContain(message)
  })
})
