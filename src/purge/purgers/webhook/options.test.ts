import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { createPurger } from '../../factory.ts'
import { webhookOptions } from './options.ts'

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const otherSecret = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
const url = 'https://erase.example.com/purges?team=lake'
const good = { url, secrets: [secret] }

describe('the options of webhook', () => {
  it('are filled in', () => {
    expect(webhookOptions(good)).toEqual({
      url: new URL(url),
      secrets: [Buffer.alloc(32, 7)],
      publicUrl: undefined,
      timeout: 10_000,
      deadline: 86_400_000,
    })
    const publicUrl = 'https://lake.example.com/moulin/'
    const all = { ...good, secrets: [otherSecret, secret], publicUrl, timeoutSeconds: 0.5, deadlineHours: 1 }
    expect(webhookOptions(all)).toMatchObject({
      secrets: [Buffer.alloc(32, 8), Buffer.alloc(32, 7)],
      publicUrl: 'https://lake.example.com/moulin',
      timeout: 500,
      deadline: 3_600_000,
    })
  })

  it('allow http to this machine, and elsewhere when they say so', () => {
    for (const host of ['localhost:8080', '127.0.0.1', '127.1', '[::1]:80']) {
      expect(webhookOptions({ ...good, url: `http://${host}/` }).url.protocol).toBe('http:')
    }
    for (const host of ['erase.internal', '10.0.0.1', 'localhost.example.com', '127.0.0.1.example.com']) {
      expect(() => webhookOptions({ ...good, url: `http://${host}/` })).toThrow(/^url .*allowHttp: true/)
      expect(webhookOptions({ ...good, url: `http://${host}/`, allowHttp: true }).url.host).toBe(host)
    }
    expect(() => webhookOptions({ ...good, publicUrl: 'http://lake.internal/' })).toThrow(/^publicUrl /)
  })

  it.each<[string, Record<string, unknown>]>([
    ['url', { url: undefined }],
    ['url', { url: 7 }],
    ['url', { url: 'erase.example.com' }],
    ['url', { url: 'ftp://erase.example.com' }],
    ['url', { url: 'https://user:hunter2@erase.example.com' }],
    ['url', { url: 'https://erase.example.com/#top' }],
    ['secrets', { secrets: undefined }],
    ['secrets', { secrets: secret }],
    ['secrets', { secrets: [] }],
    ['secrets[1]', { secrets: [secret, 'hunter2'] }],
    ['secrets[0]', { secrets: [5] }],
    ['publicUrl', { publicUrl: 'https://lake.example.com/?a=hunter2' }],
    ['allowHttp', { allowHttp: 'yes' }],
    ['timeoutSeconds', { timeoutSeconds: 0 }],
    ['timeoutSeconds', { timeoutSeconds: 61 }],
    ['timeoutSeconds', { timeoutSeconds: '10s' }],
    ['deadlineHours', { deadlineHours: Number.NaN }],
    ['"secret"', { secret: 'hunter2' }],
  ])('name %s when it is wrong, and tell no value: %j', (name, wrong) => {
    const message = (() => {
      try {
        webhookOptions({ ...good, ...wrong })
      } catch (error) {
        return (error as Error).message
      }
      return 'accepted'
    })()
    expect(message).toContain(name)
    expect(message).not.toContain('hunter2')
    expect(message).not.toContain(secret)
  })

  it('make a purger by its alias', async () => {
    const context = {
      logger: pino({ level: 'silent' }),
      warehouse: { name: 'lake', location: 's3://lake' },
      serverIdentity: 'test:1',
      works: true,
      deliver: async () => true,
    }
    expect(await createPurger('webhook', good, context)).toMatchObject({ name: 'webhook', waits: false })
    await expect(createPurger('webhook', {}, context)).rejects.toThrow(
      'The purger "webhook" refused its options: url must be a URL',
    )
  })
})
