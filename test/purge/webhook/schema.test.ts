import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonValue } from '../../../src/iceberg/json/exact-json.ts'
import type { Purge } from '../../../src/purge/purger.ts'
import { parseAccepted, parseStatus } from '../../../src/purge/purgers/webhook/answers.ts'
import { cancelDocument, requestDocument } from '../../../src/purge/purgers/webhook/purge-document.ts'

/** Fastify's validator, told to change nothing. */
const app = Fastify({
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
})

beforeAll(async () => {
  for (const name of ['purge', 'accepted', 'status']) {
    const path = new URL(`../../../schema/webhook/${name}.v1.json`, import.meta.url)
    // What the schemas use means the same in draft 7, which is what this validator speaks.
    const { $schema, ...body } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    expect($schema).toBe('https://json-schema.org/draft/2020-12/schema')
    app.post(`/${name}`, { schema: { body } }, async () => 'valid')
  }
  await app.ready()
})
afterAll(() => app.close())

async function isValid(name: string, body: object): Promise<boolean> {
  const { statusCode } = await app.inject({ method: 'POST', url: `/${name}`, payload: body })
  return statusCode === 200
}

const purge: Purge = {
  id: '3c2f1f0a-6f0c-4d8e-9a51-0d7f6a9c1b2e',
  kind: 'table',
  warehouse: 'lake',
  namespace: ['sales', 'eu'],
  name: 'orders',
  uuid: 'b55d9dda-6561-423a-8bfc-787980ce421f',
  metadataLocation: 's3://lake/orders/metadata/00007.metadata.json',
  locations: [{ location: 's3a://lake/orders', owned: true }],
  request: { principal: 'ann', requestId: 'r', client: 'spark', requestedAt: 1_795_000_000_000 },
}

describe('the schemas of webhook', () => {
  it('describe what is sent, which does not tell who dropped the table', async () => {
    const work = { files: 3, bytes: 100, keep: [{ location: 's3://lake/other/', rule: 'inside-live-table' }] }
    const requested = requestDocument({ purge, generation: 2 }, work, 'https://moulin.example.com/x')
    expect(JSON.stringify(requested)).not.toContain('ann')
    expect(await isValid('purge', requested)).toBe(true)
    expect(await isValid('purge', requestDocument({ purge, generation: 1 }, work, undefined))).toBe(true)
    expect(await isValid('purge', cancelDocument({ purge, generation: 1 }, 'job-1'))).toBe(true)
    for (const wrong of [
      { version: 2 },
      { event: 'purge.finished' },
      { generation: 0 },
      { locations: ['s3a://lake/orders'] },
    ]) {
      expect(await isValid('purge', { ...requested, ...wrong })).toBe(false)
    }
  })

  it.each([
    { reference: 'job-1' },
    { reference: 'job-1', statusUrl: '/status/job-1', more: [1] },
    {},
    { reference: '' },
    { reference: 'r'.repeat(501) },
    { reference: 'a\nb' },
    { reference: 5 },
    { reference: 'job-1', statusUrl: 5 },
  ])('take the answers that are taken: %j', async (answer) => {
    const url = new URL('https://erase.example.com/purges')
    expect(await isValid('accepted', answer)).toBe(isTaken(() => parseAccepted(answer as JsonValue, url)))
  })

  it.each([
    { state: 'running' },
    { state: 'running', counts: { deleted: 5, absent: 0, kept: 1, blocked: 0, failed: 0, more: 'x' } },
    { state: 'finished', counts: { deleted: 5 } },
    {
      state: 'failed',
      message: 'no',
      failures: [{ path: 'a', outcome: 'blocked', code: 'c', message: 'm' }],
    },
    { state: 'failed', failures: [{ path: 'a' }] },
    {},
    { state: 'done' },
    { state: 'running', counts: [] },
    { state: 'running', counts: { deleted: -1 } },
    { state: 'running', counts: { deleted: 2 ** 53 } },
    { state: 'failed', message: 5 },
    { state: 'failed', failures: {} },
    { state: 'failed', failures: [{}] },
    { state: 'failed', failures: [{ path: 'a', outcome: 'deleted' }] },
  ])('take the statuses that are taken: %j', async (status) => {
    expect(await isValid('status', status)).toBe(isTaken(() => parseStatus(status as unknown as JsonValue)))
  })
})

function isTaken(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch (error) {
    expect((error as Error).name).toBe('BadRequestException')
    return false
  }
}
