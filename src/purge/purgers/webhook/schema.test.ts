import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../../iceberg/json/exact-json.ts'
import type { Purge } from '../../purger.ts'
import { parseAccepted, parseStatus } from './answers.ts'
import { cancelDocument, requestDocument } from './purge-document.ts'

const validators = new Map(
  ['purge', 'accepted', 'status'].map((name) => {
    const path = new URL(`../../../../schema/webhook/${name}.v1.schema.json`, import.meta.url)
    const schema = JSON.parse(readFileSync(path, 'utf8')) as object
    return [name, new Ajv2020({ validateFormats: false }).compile(schema)]
  }),
)

function isValid(name: string, message: object): boolean {
  // As it is on the wire.
  return validators.get(name)!(JSON.parse(JSON.stringify(message)))
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
  it('describe what is sent, which does not tell who dropped the table', () => {
    const work = { files: 3, bytes: 100, keep: ['s3://lake/orders/inner'] }
    const requested = requestDocument({ purge, generation: 2 }, work, 'https://moulin.example.com/x')
    expect(JSON.stringify(requested)).not.toContain('ann')
    expect(isValid('purge', requested)).toBe(true)
    expect(isValid('purge', requestDocument({ purge, generation: 1 }, work, undefined))).toBe(true)
    expect(isValid('purge', cancelDocument({ purge, generation: 1 }, 'job-1'))).toBe(true)
    for (const wrong of [
      { version: 2 },
      { event: 'purge.finished' },
      { generation: 0 },
      { locations: ['s3a://lake/orders'] },
    ]) {
      expect(isValid('purge', { ...requested, ...wrong })).toBe(false)
    }
  })

  it('describe the messages that the guide shows', () => {
    const guide = readFileSync(new URL('../../../../docs/guides/webhook.md', import.meta.url), 'utf8')
    const shown = Array.from(
      guide.matchAll(/^```(?:http|json)$([\s\S]*?)^```$/gm),
      ([, block]) => JSON.parse(/^\{[\s\S]*/m.exec(block!)![0]) as object,
    )
    const kinds = shown.map((message) =>
      'event' in message ? 'purge' : 'reference' in message ? 'accepted' : 'status',
    )
    expect(kinds).toEqual(['purge', 'accepted', 'status', 'status', 'status'])
    for (const [index, message] of shown.entries()) {
      expect(isValid(kinds[index]!, message), JSON.stringify(message)).toBe(true)
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
  ])('take the answers that are taken: %j', (answer) => {
    const url = new URL('https://erase.example.com/purges')
    expect(isValid('accepted', answer)).toBe(isTaken(() => parseAccepted(answer as JsonValue, url)))
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
  ])('take the statuses that are taken: %j', (status) => {
    expect(isValid('status', status)).toBe(isTaken(() => parseStatus(status as unknown as JsonValue)))
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
