import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { dialects } from '../../src/testing/databases.ts'
import { createTable, type Served, schema, serve, setProperties } from './fixture.ts'

const key = (value: string = randomUUID()) => ({ 'idempotency-key': value })

describe.each(dialects)('Idempotency-Key on %s', (dialect) => {
  const withServer = async (work: (served: Served) => Promise<void>, options = {}) => {
    await using served = await serve({ dialect, ...options })
    await served.call('POST', '/namespaces', { namespace: ['ns'] })
    await work(served)
  }
  const tables = '/namespaces/ns/tables'

  it('gives the first answer again: create, commit, drop', () =>
    withServer(async (served) => {
      const creating = key()
      const created = await served.call('POST', tables, { name: 't', schema }, creating)
      const again = await served.call('POST', tables, { name: 't', schema }, creating)
      expect([again.status, again.text]).toEqual([200, created.text])
      expect(again.headers.get('etag')).toBe(created.headers.get('etag'))

      const committing = key()
      const committed = await served.call('POST', `${tables}/t`, setProperties({ a: '1' }), committing)
      await served.call('POST', `${tables}/t`, setProperties({ a: '2' }))
      const replayed = await served.call('POST', `${tables}/t`, setProperties({ a: '1' }), committing)
      expect(replayed.text).toBe(committed.text)
      expect((await served.call('GET', `${tables}/t`)).json.metadata.properties.a).toBe('2')

      const dropping = key()
      for (let time = 0; time < 3; time++) {
        const answer = await served.call('DELETE', `${tables}/t?purgeRequested=true`, undefined, dropping)
        expect(answer.status).toBe(204)
      }
      expect((await served.call('DELETE', `${tables}/t`)).status).toBe(404)
    }))

  it('runs once when the same request comes many times at once', () =>
    withServer(async (served) => {
      const creating = key()
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => served.call('POST', tables, { name: 't', schema }, creating)),
      )
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      expect(new Set(answers.map(({ json }) => json['metadata-location'])).size).toBe(1)

      const committing = key()
      const commits = await Promise.all(
        Array.from({ length: 12 }, () =>
          served.call('POST', `${tables}/t`, setProperties({ a: '1' }), committing),
        ),
      )
      expect(new Set(commits.map(({ json }) => json['metadata-location'])).size).toBe(1)

      const dropping = key()
      const drops = await Promise.all(
        Array.from({ length: 12 }, () => served.call('DELETE', `${tables}/t`, undefined, dropping)),
      )
      expect(new Set(drops.map(({ status }) => status))).toEqual(new Set([204]))
    }))

  it('keeps refusals that will not change, and refuses a key that was used for something else', () =>
    withServer(async (served) => {
      await createTable(served, 't')
      const creating = key()
      expect((await served.call('POST', tables, { name: 't', schema }, creating)).status).toBe(409)
      await served.call('DELETE', `${tables}/t`)
      expect((await served.call('POST', tables, { name: 't', schema }, creating)).status).toBe(409)
      const other = await served.call('POST', tables, { name: 'u', schema }, creating)
      expect(other.json.error).toMatchObject({ code: 422, type: 'UnprocessableEntityException' })
      const malformed = await served.call('POST', tables, { name: 'u', schema }, key('no-uuid'))
      expect(malformed.json.error).toMatchObject({ code: 400 })
      expect(malformed.json.error.message).toContain('Idempotency-Key')
    }))

  it('covers namespaces, renames and transactions', () =>
    withServer(async (served) => {
      await createTable(served, 't')
      const twice = async (method: string, path: string, body: unknown, status: number) => {
        const header = key()
        for (let time = 0; time < 2; time++) {
          expect([path, (await served.call(method, path, body, header)).status]).toEqual([path, status])
        }
      }
      await twice('POST', '/namespaces', { namespace: ['other'], properties: { a: 'b' } }, 200)
      await twice('POST', '/namespaces/other/properties', { removals: ['a'], updates: { c: 'd' } }, 200)
      await twice('DELETE', '/namespaces/other', undefined, 204)
      const rename = {
        source: { namespace: ['ns'], name: 't' },
        destination: { namespace: ['ns'], name: 'u' },
      }
      await twice('POST', '/tables/rename', rename, 204)
      const change = { identifier: { namespace: ['ns'], name: 'u' }, ...setProperties({ x: 'y' }) }
      await twice('POST', '/transactions/commit', { 'table-changes': [change] }, 204)
      await twice('POST', '/namespaces/ns/tables/u/unregister', undefined, 200)
    }))

  it('forgets a key after its time', () =>
    withServer(async (served) => {
      const creating = key()
      await served.call('POST', tables, { name: 't', schema }, creating)
      await served.database.database.transaction((tx) =>
        tx.updateTable('idempotency_keys').set({ expires_at: 1 }).execute(),
      )
      expect((await served.call('POST', tables, { name: 't', schema }, creating)).status).toBe(409)
    }))
})
