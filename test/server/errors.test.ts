import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IcebergError } from '../../src/iceberg/errors.ts'
import { Metrics } from '../../src/observability/metrics.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { buildApp } from '../../src/server/app.ts'
import type { Dependencies } from '../../src/server/deps.ts'
import { icebergRoutes } from '../../src/server/iceberg/routes.ts'
import { createTable, type Served, schema, serve } from './fixture.ts'

let served: Served
beforeAll(async () => {
  served = await serve({ warehouses: ['main', 'other wärehouse'] })
  await createTable(served)
})
afterAll(async () => {
  await served[Symbol.asyncDispose]()
})

describe('errors', () => {
  it.each([
    ['broken JSON', '{"namespace":', 400],
    ['an empty body', '', 400],
    ['a list', '[]', 400],
    ['a depth bomb', '['.repeat(100_000), 400],
    ['invalid UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400],
    ['a number for the namespace', '{"namespace":7}', 400],
    ['a null', '{"namespace":null}', 400],
    ['more than maxBodyBytes', `{"namespace":["${'x'.repeat(1024 * 1024)}"]}`, 413],
  ])('%s as a body is answered with the envelope', async (_what, body, status) => {
    const answer = await served.call('POST', '/namespaces', body)
    expect(answer.status).toBe(status)
    expect(answer.json.error).toMatchObject({
      code: status,
      type: expect.any(String),
      message: expect.any(String),
    })
  })

  it('names the field, its type and what it must be', async () => {
    const message = async (path: string, body: unknown) =>
      (await served.call('POST', path, body)).json.error.message
    expect(await message('/namespaces', { namespace: ['a', 1] })).toMatch(
      /namespace\[1\].*must be a string.*number 1/,
    )
    expect(await message('/namespaces', { namespace: ['a'], properties: { x: 1 } })).toMatch(
      /properties\.x must be a string/,
    )
    expect(await message('/namespaces/ns/tables', { schema })).toMatch(/name is missing; it must be a string/)
    expect(await message('/namespaces/ns/tables', { name: 'x' })).toMatch(/schema/)
    expect(await message('/namespaces/ns/tables/cities', {})).toMatch(/updates is missing/)
    expect(await message('/tables/rename', { source: {} })).toMatch(/namespace is missing/)
  })

  it('refuses other content types, unknown routes and methods, and tells the token endpoint from all of them', async () => {
    const form = await served.call('POST', '/namespaces', 'a=b', { 'content-type': 'text/plain' })
    expect(form.json.error).toMatchObject({ code: 415, type: 'UnsupportedMediaTypeException' })
    expect((await served.call('GET', '/v1/main/nothing')).json.error).toMatchObject({ code: 404 })
    const put = await served.call('PUT', '/namespaces', {})
    expect(put.json.error).toMatchObject({ code: 405, type: 'MethodNotAllowedException' })
    expect(put.headers.get('allow')).toBe('GET, POST')
    expect((await served.call('PATCH', '/namespaces/ns/tables/cities')).status).toBe(405)
    expect((await served.call('GET', '/v1/nowhere/namespaces')).json.error.type).toBe(
      'NoSuchWarehouseException',
    )
    const token = await served.call('POST', '/v1/oauth/tokens', 'grant_type=client_credentials', {
      'content-type': 'application/x-www-form-urlencoded',
    })
    expect([token.status, token.json.error]).toEqual([400, 'unsupported_grant_type'])
  })

  it('counts removals and updates of one key as unprocessable', async () => {
    const body = { removals: ['a'], updates: { a: 'b' } }
    const answer = await served.call('POST', '/namespaces/ns/properties', body)
    expect(answer.json.error).toMatchObject({ code: 422, type: 'UnprocessableEntityException' })
  })

  it('answers HEAD without a body, also when it fails', async () => {
    const answer = await served.call('HEAD', '/namespaces/nope')
    expect([answer.status, answer.text]).toEqual([404, ''])
  })
})

describe('configuration of clients', () => {
  it('serves several warehouses by prefix, whatever their names', async () => {
    const config = await served.call('GET', `/v1/config?warehouse=${encodeURIComponent('other wärehouse')}`)
    const { prefix } = config.json.overrides
    expect(decodeURIComponent(prefix)).toBe('other wärehouse')
    expect((await served.call('GET', `/v1/${prefix}/namespaces`)).json.namespaces).toEqual([])
    expect((await served.call('GET', '/namespaces')).json.namespaces).toEqual([['ns']])
    expect((await served.call('GET', '/v1/config?warehouse=nope')).json.error.type).toBe(
      'NoSuchWarehouseException',
    )
    expect((await served.call('GET', '/v1/config')).json.error.code).toBe(400)
  })

  it('advertises exactly what is served', async () => {
    const { json } = await served.call('GET', '/v1/config?warehouse=main')
    expect(json['idempotency-key-lifetime']).toBe('PT60S')
    for (const endpoint of json.endpoints as string[]) {
      const [method, path] = endpoint.split(' ') as [string, string]
      const target = path.replace('{prefix}', 'main').replace(/\{\w+\}/g, 'nothing-like-it')
      const answer = await served.call(method, target, method === 'POST' ? {} : undefined)
      expect([endpoint, answer.json.error?.type]).not.toEqual([endpoint, 'NoSuchRouteException'])
    }
    expect(json.endpoints).toHaveLength(icebergRoutes.length)
  })

  it('22. credentials and remote signing end with the drop: none are lent, so no engine deletes by them', async () => {
    const { json } = await served.call('GET', '/v1/config?warehouse=main')
    expect(json.endpoints.filter((each: string) => /credentials|sign/.test(each))).toEqual([])
    expect(JSON.stringify([json.defaults, json.overrides])).not.toMatch(/sign|credential/)
    const schema = { type: 'struct', 'schema-id': 0, fields: [] }
    const table = await served.call('POST', '/namespaces/ns/tables', { name: 'lent', schema })
    expect(table.status).toBe(200)
    expect(table.json['storage-credentials'] ?? []).toEqual([])
    expect(JSON.stringify(table.json.config ?? {})).not.toMatch(/sign|credential|key/)
  })
})

describe('operations', () => {
  it('tells that it lives, that it is ready, and its metrics', async () => {
    expect((await served.call('GET', '/!livez')).json).toEqual({ status: 'alive' })
    expect((await served.call('GET', '/!readyz')).json).toEqual({ status: 'ready' })
    const metrics = await served.call('GET', '/!metrics')
    for (const name of [
      'moulin_http_request_duration_seconds',
      'moulin_commits_total',
      'moulin_database_connections',
    ]) {
      expect(metrics.text).toContain(name)
    }
    expect(metrics.text).toMatch(/moulin_commits_total\{warehouse="main",kind="table"\} [1-9]/)
  })

  it("gives every answer its request id, the client's if it is a proper one", async () => {
    const mine = await served.call('GET', '/namespaces', undefined, { 'x-request-id': 'mine-1' })
    expect(mine.headers.get('x-request-id')).toBe('mine-1')
    const odd = await served.call('GET', '/namespaces', undefined, { 'x-request-id': 'a b{}' })
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('authorization', () => {
  it('is asked on every route of the API, and its refusal is a 403 in the envelope', async () => {
    const { database } = served.database
    const asked: string[] = []
    const deps = {
      warehouses: new Map([['main', { name: 'main', config: { storage: { type: 'local' } } }]]),
      database,
      ledger: new Ledger(database),
      authorizer: {
        authorize: async (_principal: unknown, action: string) => {
          asked.push(action)
          throw new IcebergError('ForbiddenException', 'Not you.')
        },
      },
      logger: pino({ level: 'silent' }),
      metrics: new Metrics(database),
      config: { maxBodyBytes: 1_000, idempotencyKeyLifetime: 1_000 },
      identity: 'test',
      engine: { notify: () => undefined },
      draining: new AbortController().signal,
      stopping: new AbortController().signal,
    } as unknown as Dependencies
    const app = buildApp(deps)
    const targets = icebergRoutes.map(({ method, path }) => [
      method,
      path.replace('{prefix}', 'main').replace(/\{\w+\}/g, 'x'),
    ])
    for (const [method, url] of [...targets, ['GET', '/v1/config']] as ['GET', string][]) {
      const answer = await app.inject({ method, url, ...(method !== 'GET' && { payload: {} }) })
      expect([method, url, answer.statusCode]).toEqual([method, url, 403])
      if ((method as string) !== 'HEAD') expect(answer.json().error.type).toBe('ForbiddenException')
    }
    expect(asked).toHaveLength(targets.length + 1)
    await app.close()
  })
})
