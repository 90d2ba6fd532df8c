import { describe, expect, it } from 'vitest'
import { columns, now, refusal, schema, uuid } from '../../../test/metadata/tables.ts'
import { parseJson, printJson } from '../json/exact-json.ts'
import { applyViewUpdates, newViewMetadata } from './builder.ts'
import type { ViewMetadata } from './model.ts'
import { parseViewMetadata } from './parse.ts'
import { printViewMetadata } from './print.ts'
import { checkViewRequirements, parseViewRequirements, parseViewUpdates } from './updates.ts'

const version = (sql: string, members: Record<string, unknown> = {}) => ({
  'version-id': 1,
  'timestamp-ms': now,
  'schema-id': 0,
  summary: { 'engine-name': 'spark' },
  'default-namespace': ['a', 'b.c'],
  representations: [{ type: 'sql', sql, dialect: 'spark' }],
  ...members,
})
const dialects = (...names: string[]) => ({
  representations: names.map((dialect) => ({ type: 'sql', sql: 'select 1', dialect })),
})

function newView(properties: Record<string, string> = {}, first: object = version('select 1')): ViewMetadata {
  return newViewMetadata({
    schema: schema(),
    viewVersion: first,
    location: 's3://b/v/',
    properties,
    uuid,
    now,
  })
}

function commit(base: ViewMetadata, updates: readonly object[], time = now): ViewMetadata {
  const next = applyViewUpdates(base, parseViewUpdates(parseJson(printJson(updates))), { now: time })
  expect(parseViewMetadata(Buffer.from(printViewMetadata(next)))).toEqual(next)
  return next
}

const add = (sql: string, members = {}) => ({
  action: 'add-view-version',
  'view-version': version(sql, members),
})
const current = (id: number) => ({ action: 'set-current-view-version', 'view-version-id': id })
const replace = (sql: string, members = {}) => [add(sql, members), current(-1)]
const ids = (view: ViewMetadata) => view.versions.map(({ versionId }) => versionId).toSorted((a, b) => a - b)

describe('a new view', () => {
  it('has one version, logged at the time of that version', () => {
    const view = newView({ p: 'v' }, version('select 1', { 'schema-id': 9, 'timestamp-ms': now - 5n }))
    expect(view).toMatchObject({
      viewUuid: uuid,
      location: 's3://b/v',
      currentVersionId: 1,
      schemas: [{ schemaId: 0 }],
      versions: [{ versionId: 1, schemaId: 0 }],
      versionLog: [{ timestampMs: now - 5n, versionId: 1 }],
      properties: { p: 'v' },
    })
    expect(parseViewMetadata(Buffer.from(printViewMetadata(view)))).toEqual(view)
  })

  it('has one query for each dialect, whatever its case', () => {
    expect(refusal(() => newView({}, version('x', dialects('Spark', 'spark'))))).toBe(
      '400 IllegalArgumentException: Invalid view version: Cannot add multiple queries for dialect spark',
    )
    expect(newView({}, version('x', dialects('spark', 'trino'))).versions[0]?.representations).toHaveLength(2)
  })
})

describe('versions', () => {
  it('are added under the next id; -1 is the one added last', () => {
    const view = commit(newView(), replace('select 2'))
    expect([ids(view), view.currentVersionId]).toEqual([[1, 2], 2])
    expect(view.versionLog.map(({ versionId }) => versionId)).toEqual([1, 2])
    expect(refusal(() => commit(view, [current(-1)]))).toContain('no current version id has been set')
    expect(refusal(() => commit(view, [current(9)]))).toContain('unknown version: 9')
  })

  it('keep a higher id that the client chose, up to 32 bits', () => {
    const view = commit(newView(), replace('select 2', { 'version-id': 2 ** 31 - 1 }))
    expect(view.currentVersionId).toBe(2 ** 31 - 1)
    expect(refusal(() => commit(view, replace('select 3')))).toContain('no version ids are left')
  })

  it('that are there already are used again, logged at the present', () => {
    const two = commit(newView(), replace('select 2'))
    const back = commit(two, replace('select 1', { 'version-id': 7, 'timestamp-ms': now + 3n }), now + 9n)
    expect([ids(back), back.currentVersionId]).toEqual([[1, 2], 1])
    expect(back.versionLog.at(-1)).toEqual({ timestampMs: now + 9n, versionId: 1 })
    expect(commit(two, [add('select 1')])).toBe(two)
  })

  it('differ when anything but id and time differs', () => {
    for (const members of [
      { summary: {} },
      { 'default-namespace': ['x'] },
      { 'default-catalog': 'c' },
      dialects('spark', 'trino'),
    ]) {
      expect(ids(commit(newView(), replace('select 1', members)))).toEqual([1, 2])
    }
  })

  it('refer to a schema of the view; -1 is the one sent last', () => {
    const wider = {
      action: 'add-schema',
      schema: schema([...columns, { id: 3, name: 'c', required: false, type: 'int' }], 5),
    }
    const view = commit(newView(), [wider, ...replace('select 2', { 'schema-id': -1 })])
    expect(view.schemas.map(({ schemaId }) => schemaId)).toEqual([0, 1])
    expect(view.versions.find(({ versionId }) => versionId === 2)?.schemaId).toBe(1)
    const both = commit(newView(), [
      wider,
      { action: 'add-schema', schema: schema() },
      ...replace('x', { 'schema-id': -1 }),
    ])
    expect(both.versions.find(({ versionId }) => versionId === 2)?.schemaId).toBe(0)
    expect(refusal(() => commit(newView(), replace('x', { 'schema-id': -1 })))).toContain(
      'no schema has been added',
    )
    expect(refusal(() => commit(newView(), replace('x', { 'schema-id': 4 })))).toContain('unknown schema: 4')
  })

  it('may not lose a dialect, unless the view allows it', () => {
    const two = newView({}, version('x', dialects('spark', 'Trino')))
    expect(refusal(() => commit(two, replace('y', dialects('spark'))))).toContain('loss of view dialects')
    expect(commit(two, replace('y', dialects('TRINO', 'spark', 'duckdb'))).currentVersionId).toBe(2)
    const allow = { action: 'set-properties', updates: { 'replace.drop-dialect.allowed': 'TRUE' } }
    expect(commit(two, [allow, ...replace('y', dialects('spark'))]).currentVersionId).toBe(2)
  })
})

describe('the history', () => {
  it('keeps ten versions, or as many as the view says, and always the current one', () => {
    let view = newView()
    for (let index = 2; index <= 14; index++) view = commit(view, replace(`select ${index}`))
    expect(ids(view)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
    const oldest = commit(view, [
      current(5),
      { action: 'set-properties', updates: { 'version.history.num-entries': '2' } },
    ])
    expect([ids(oldest), oldest.currentVersionId]).toEqual([[5, 14], 5])
    expect(oldest.versionLog.map(({ versionId }) => versionId)).toEqual([14, 5])
    expect(
      refusal(() =>
        commit(view, [{ action: 'set-properties', updates: { 'version.history.num-entries': '0' } }]),
      ),
    ).toContain('must be positive')
  })

  it('keeps every version of the commit itself', () => {
    const view = newView({ 'version.history.num-entries': '1' })
    const three = commit(view, [add('select 2'), add('select 3'), ...replace('select 4')])
    expect(ids(three)).toEqual([2, 3, 4])
  })
})

describe('other updates', () => {
  it('set a location without trailing slash, and properties', () => {
    const view = commit(newView({ a: '1' }), [
      { action: 'set-location', location: 's3://c/' },
      { action: 'set-properties', updated: { b: '2' } },
      { action: 'remove-properties', removed: ['a'] },
    ])
    expect([view.location, view.properties]).toEqual(['s3://c', { b: '2' }])
  })

  it('that change nothing give the view itself', () => {
    const view = newView({ a: '1' })
    expect(
      commit(view, [
        { action: 'assign-uuid', uuid: uuid.toUpperCase() },
        { action: 'upgrade-format-version', 'format-version': 1 },
        { action: 'set-location', location: 's3://b/v//' },
        { action: 'set-properties', updates: { a: '1' } },
        { action: 'remove-properties', removals: ['x'] },
        { action: 'add-schema', schema: schema() },
        current(1),
      ]),
    ).toBe(view)
  })

  const refused: [object, string][] = [
    [{ action: 'assign-uuid', uuid: 'other' }, 'Cannot reassign uuid'],
    [{ action: 'upgrade-format-version', 'format-version': 0 }, 'Cannot downgrade v1 view to v0'],
    [{ action: 'upgrade-format-version', 'format-version': 2 }, 'Unsupported format version: 2'],
    [{ action: 'set-location', location: '/' }, 'must not be empty'],
    [{ action: 'add-snapshot' }, 'unknown action "add-snapshot"'],
    [{ action: 'add-view-version' }, 'must be a JSON object'],
    [add('x', { representations: [{ type: 'java', sql: 'x', dialect: 'y' }] }), 'type must be "sql"'],
    [add('x', { 'default-namespace': undefined }), 'default-namespace is missing'],
  ]
  it.each(refused.map(([update, message]) => ({ update, message })))('$message', ({ update, message }) => {
    expect(refusal(() => commit(newView(), [update]))).toMatch(/^400 BadRequestException/)
    expect(refusal(() => commit(newView(), [update]))).toContain(message)
  })
})

describe('requirements of a view', () => {
  const check = (json: string) => checkViewRequirements(newView(), parseViewRequirements(parseJson(json)))

  it('are its UUID', () => {
    expect(() => check(`[{"type":"assert-view-uuid","uuid":"${uuid.toUpperCase()}"}]`)).not.toThrow()
    expect(refusal(() => check('[{"type":"assert-view-uuid","uuid":"x"}]'))).toBe(
      `409 CommitFailedException: Requirement failed: view UUID does not match: expected ${uuid} != x`,
    )
    expect(refusal(() => check('[{"type":"assert-create"}]'))).toContain('400 BadRequestException')
    expect(parseViewRequirements(undefined)).toEqual([])
  })
})

describe('view metadata that is refused', () => {
  const good = parseJson(printViewMetadata(newView())) as object
  const refused: [object, string][] = [
    [{ 'format-version': 2 }, 'unsupported view format version 2'],
    [{ 'current-version-id': 5 }, 'current-version-id 5 is not in versions'],
    [{ schemas: [schema(columns, 4)] }, 'schema 0 of the current version is not in schemas'],
    [{ 'view-uuid': null }, 'view-uuid is missing'],
    [{ versions: [version('x', { 'timestamp-ms': 2n ** 63n })] }, 'must be a 64-bit integer'],
  ]
  it.each(refused.map(([change, message]) => ({ change, message })))('$message', ({ change, message }) => {
    const bytes = Buffer.from(printJson({ ...good, ...change }))
    expect(refusal(() => parseViewMetadata(bytes))).toMatch(/^400 BadRequestException/)
    expect(refusal(() => parseViewMetadata(bytes))).toContain(message)
  })

  it('is refused when it is no JSON', () => {
    expect(refusal(() => parseViewMetadata(Buffer.from('{')))).toContain('Invalid view metadata')
  })
})
