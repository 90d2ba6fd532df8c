/** Random commits of views, valid or not: whatever is accepted can be read again and keeps its promises. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { columns, now, schema, uuid } from '../../../test/metadata/tables.ts'
import { isIcebergError } from '../errors.ts'
import { type JsonObject, parseJson, printJson } from '../json/exact-json.ts'
import { applyViewUpdates, newViewMetadata } from './builder.ts'
import type { ViewMetadata } from './model.ts'
import { parseViewMetadata } from './parse.ts'
import { printViewMetadata } from './print.ts'
import { parseViewUpdates } from './updates.ts'

const version = fc.record({
  'version-id': fc.constantFrom(1, 2, 5, 2 ** 31 - 1),
  'schema-id': fc.integer({ min: -1, max: 2 }),
  'timestamp-ms': fc.constantFrom(now, 2n ** 63n - 1n),
  'default-namespace': fc.constant(['n']),
  summary: fc.constantFrom({}, { a: 'b' }),
  representations: fc
    .subarray(['spark', 'trino', 'Spark'])
    .map((dialects) => dialects.map((dialect) => ({ type: 'sql', sql: 'select 1', dialect }))),
})
const update = fc.oneof(
  { arbitrary: version.map((each) => ({ action: 'add-view-version', 'view-version': each })), weight: 3 },
  {
    arbitrary: fc
      .constantFrom(-1, -1, 1, 2, 3)
      .map((id) => ({ action: 'set-current-view-version', 'view-version-id': id })),
    weight: 3,
  },
  fc.integer({ min: 3, max: 5 }).map((id) => ({
    action: 'add-schema',
    schema: schema([...columns, { id, name: 'x', required: false, type: 'int' }]),
  })),
  fc.record({
    action: fc.constant('set-properties'),
    updates: fc.constantFrom(
      { 'replace.drop-dialect.allowed': 'true' },
      { 'replace.drop-dialect.allowed': 'false' },
      { 'version.history.num-entries': '2' },
      { 'version.history.num-entries': '-1' },
    ),
  }),
)

it('accepted commits leave a view that can be read', () => {
  let accepted = 0
  fc.assert(
    fc.property(fc.array(fc.array(update, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), (commits) => {
      let view = newViewMetadata({
        schema: schema(),
        viewVersion: JSON.parse(
          '{"version-id":1,"schema-id":0,"timestamp-ms":1,"default-namespace":[],"representations":[{"type":"sql","sql":"x","dialect":"spark"}]}',
        ) as JsonObject,
        location: '/v',
        properties: {},
        uuid,
        now,
      })
      for (const updates of commits) {
        const next = unlessRefused(() =>
          applyViewUpdates(view, parseViewUpdates(parseJson(printJson(updates))), { now }),
        )
        if (!next) continue
        expectPromises(next)
        view = next
        accepted++
      }
    }),
    { numRuns: 1000 },
  )
  expect(accepted).toBeGreaterThan(500)
})

function expectPromises(view: ViewMetadata): void {
  expect(parseViewMetadata(Buffer.from(printViewMetadata(view)))).toEqual(view)
  const ids = view.versions.map(({ versionId }) => versionId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(view.versionLog.at(-1)?.versionId).toBe(view.currentVersionId)
  for (const { versionId } of view.versionLog) expect(ids).toContain(versionId)
  const schemaIds = view.schemas.map(({ schemaId }) => schemaId)
  expect(new Set(schemaIds).size).toBe(schemaIds.length)
  for (const { schemaId } of view.versions) expect(schemaIds).toContain(schemaId)
}

function unlessRefused<T>(attempt: () => T): T | undefined {
  try {
    return attempt()
  } catch (error) {
    if (isIcebergError(error) && (error.status === 400 || error.status === 409)) return undefined
    throw error
  }
}
