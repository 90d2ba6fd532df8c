import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { icebergRoutes } from '../../src/server/iceberg/routes.ts'
import { append, createTable, type Served, schema, serve, viewVersion } from './fixture.ts'

/** Requests of one run; the seed is printed by fast-check when one fails. */
const numRuns = 3_000

let served: Served
beforeAll(async () => {
  served = await serve({ server: { maxBodyBytes: 100_000 } })
  await createTable(served, 't')
  await served.call('POST', '/namespaces/ns/views', {
    name: 'v',
    schema,
    'view-version': viewVersion,
    properties: {},
  })
})
afterAll(async () => {
  await served[Symbol.asyncDispose]()
})

const odd = fc.oneof(
  fc.constantFrom(
    null,
    -1,
    0,
    1,
    2 ** 31,
    2 ** 53,
    9223372036854775807n,
    10n ** 30n,
    1.5,
    '',
    'x',
    '\u0000',
    '\u001f',
    '%2F',
    true,
    [],
    {},
    [[]],
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>,
)

/** Bodies that are right, so that one mutation gets far. */
function bodies(): object[] {
  const identifier = { namespace: ['ns'], name: 't' }
  const metadata = { refs: {}, 'last-sequence-number': 0, location: 'file:///x' }
  const commit = append(metadata as never, 77n)
  const updates = [
    { action: 'assign-uuid', uuid: '9c12d441-03fe-4693-9a96-a0705ddf69c1' },
    { action: 'upgrade-format-version', 'format-version': 3 },
    { action: 'add-schema', schema: { ...schema, 'schema-id': 3 }, 'last-column-id': 3 },
    { action: 'set-current-schema', 'schema-id': -1 },
    {
      action: 'add-spec',
      spec: {
        'spec-id': 1,
        fields: [{ 'source-id': 1, 'field-id': 1000, name: 'p', transform: 'bucket[4]' }],
      },
    },
    { action: 'set-default-spec', 'spec-id': -1 },
    {
      action: 'add-sort-order',
      'sort-order': {
        'order-id': 1,
        fields: [{ 'source-id': 1, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' }],
      },
    },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
    { action: 'set-location', location: 'file:///x' },
    { action: 'set-properties', updates: { 'write.metadata.previous-versions-max': '2' } },
    { action: 'remove-properties', removals: ['a'] },
    { action: 'remove-snapshots', 'snapshot-ids': [77] },
    { action: 'remove-snapshot-ref', 'ref-name': 'main' },
    {
      action: 'set-statistics',
      'snapshot-id': 77,
      statistics: {
        'snapshot-id': 77,
        'statistics-path': 's',
        'file-size-in-bytes': 1,
        'file-footer-size-in-bytes': 1,
        'blob-metadata': [],
      },
    },
    { action: 'remove-statistics', 'snapshot-id': 77 },
    {
      action: 'set-partition-statistics',
      'partition-statistics': { 'snapshot-id': 77, 'statistics-path': 's', 'file-size-in-bytes': 1 },
    },
    { action: 'remove-partition-statistics', 'snapshot-id': 77 },
    { action: 'remove-partition-specs', 'spec-ids': [5] },
    { action: 'remove-schemas', 'schema-ids': [5] },
    { action: 'add-encryption-key', 'encryption-key': { 'key-id': 'k', 'encrypted-key-metadata': 'aGk=' } },
    { action: 'remove-encryption-key', 'key-id': 'k' },
  ]
  return [
    { namespace: ['fuzz'], properties: { a: 'b' } },
    { removals: ['a'], updates: { c: 'd' } },
    {
      name: 'u',
      schema,
      'partition-spec': { fields: [{ 'source-id': 1, name: 'p', transform: 'day' }] },
      'write-order': {
        'order-id': 1,
        fields: [{ 'source-id': 2, transform: 'truncate[2]', direction: 'desc', 'null-order': 'nulls-last' }],
      },
      properties: { 'format-version': '2' },
      'stage-create': false,
    },
    { name: 'r', 'metadata-location': 'file:///x/y.metadata.json', overwrite: true },
    { source: identifier, destination: { namespace: ['ns'], name: 'z' } },
    { 'table-changes': [{ identifier, requirements: [], updates: [] }] },
    { 'report-type': 'scan-report', 'table-name': 't', 'snapshot-id': 1 },
    { name: 'w', location: 'file:///x', schema, 'view-version': viewVersion, properties: {} },
    {
      requirements: [{ type: 'assert-view-uuid', uuid: 'x' }],
      updates: [
        { action: 'add-view-version', 'view-version': { ...viewVersion, 'schema-id': -1 } },
        { action: 'set-current-view-version', 'view-version-id': -1 },
      ],
    },
    commit,
    ...updates.map((update) => ({ requirements: [], updates: [update] })),
  ]
}

/** Replaces, removes or adds one member somewhere in a body. */
function mutate(body: unknown, at: number, value: unknown, how: number): unknown {
  const places: { holder: Record<string, unknown>; key: string }[] = []
  const copy = structuredClone(body)
  const visit = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, child] of Object.entries(node)) {
      places.push({ holder: node as Record<string, unknown>, key })
      visit(child)
    }
  }
  visit(copy)
  const place = places[at % Math.max(1, places.length)]
  if (!place) return value
  if (how === 0) delete place.holder[place.key]
  else if (how === 1) place.holder[place.key] = value
  else place.holder[`${place.key}x`] = value
  return copy
}

describe('mutated requests', () => {
  it('never get a 5xx, and every refusal is in the envelope', async () => {
    const bodyPool = bodies()
    const segment = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('ns', 't', 'v', 'nope', 'ns%1Fx') },
      {
        weight: 1,
        arbitrary: fc
          .string({ unit: 'binary', minLength: 1, maxLength: 20 })
          .filter((text) => text.isWellFormed())
          .map(encodeURIComponent),
      },
      { weight: 1, arbitrary: fc.constantFrom('%', '%zz', '%ff', '%00', '%2F', '%1F', 'x'.repeat(3_000)) },
    )
    const query = fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          '?pageSize=2',
          '?pageToken=',
          '?snapshots=refs',
          '?purgeRequested=false',
          '?parent=ns',
          '?pageToken=AAAA',
          '?snapshots=x',
          '?purgeRequested=x',
          '?parent=%1F',
          '?pageSize=1e9',
          '?a=1&a=2&pageSize=1&pageSize=2',
        ),
      },
    )
    const header = fc.oneof(
      { weight: 5, arbitrary: fc.constant({}) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          { 'idempotency-key': 'x' },
          { 'if-none-match': '"' },
          { 'idempotency-key': '9c12d441-03fe-4693-9a96-a0705ddf69c1' },
          { 'content-type': 'application/xml' },
        ),
      },
    )
    const sent = fc.record({
      route: fc.constantFrom(...icebergRoutes),
      segments: fc.array(segment, { minLength: 3, maxLength: 3 }),
      query,
      headers: header as fc.Arbitrary<Record<string, string>>,
      body: fc.nat({ max: bodyPool.length - 1 }),
      at: fc.nat(200),
      how: fc.nat(2),
      value: odd,
    })
    await fc.assert(
      fc.asyncProperty(sent, async ({ route, segments, query, headers, body, at, how, value }) => {
        let next = 0
        const target =
          route.path.replace('{prefix}', 'main').replace(/\{\w+\}/g, () => segments[next++]!) + query
        const payload = route.method === 'POST' ? mutate(bodyPool[body], at, value, how) : undefined
        const answer = await served.call(route.method, target, payload, headers)
        expect(answer.status, `${route.method} ${target}: ${answer.text}`).toBeLessThan(500)
        if (answer.status >= 400 && route.method !== 'HEAD') {
          expect(answer.json.error).toMatchObject({
            code: answer.status,
            message: expect.any(String),
            type: expect.any(String),
          })
        }
      }),
      { numRuns },
    )
    expect((await served.call('GET', '/namespaces')).status).toBe(200)
  })
})
