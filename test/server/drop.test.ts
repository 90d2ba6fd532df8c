import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { dialects } from '../../src/testing/databases.ts'
import { append, createTable, type Served, schema, serve, setProperties, viewVersion } from './fixture.ts'

const path = '/namespaces/ns/tables/cities'
const local = (location: string) => location.replace('file://', '')

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
}

describe.each(dialects)('DELETE on %s', (dialect) => {
  const withServer = async (work: (served: Served, ledger: Ledger) => Promise<void>, options = {}) => {
    await using served = await serve({ dialect, ...options })
    await work(served, new Ledger(served.database.database))
  }

  it.each(['', '?purgeRequested=false', '?purgeRequested=False'])(
    '15. an absent purgeRequested is taken for true: %j erases nothing and records nothing',
    (query) =>
      withServer(async (served, ledger) => {
        const { json } = await createTable(served)
        expect((await served.call('DELETE', path + query)).status).toBe(204)
        expect(existsSync(local(json['metadata-location']))).toBe(true)
        expect(await ledger.list()).toEqual([])
      }),
  )

  it.each(['?purgeRequested=true', '?purgeRequested=True', '?purge_requested=true'])(
    '%j erases the files',
    (query) =>
      withServer(async (served, ledger) => {
        const { json } = await createTable(served)
        await served.call('POST', path, setProperties({ a: 'b' }))
        const answer = await served.call('DELETE', path + query, undefined, {
          'user-agent': 'test',
          'x-request-id': 'r-1',
        })
        expect(answer.status).toBe(204)
        expect(existsSync(local(json.metadata.location))).toBe(false)
        const [purge] = await ledger.list()
        expect(purge).toMatchObject({
          state: 'succeeded',
          attempts: 1,
          counts: { root: { deleted: 1 }, metadata: { deleted: 1 } },
          purge: { name: 'cities', request: { principal: 'anonymous', requestId: 'r-1', client: 'test' } },
        })
      }),
  )

  it('refuses a purgeRequested that is neither true nor false, and drops nothing', () =>
    withServer(async (served) => {
      await createTable(served)
      for (const value of ['yes', '1', '', 'true&purgeRequested=false']) {
        const answer = await served.call('DELETE', `${path}?purgeRequested=${value}`)
        expect([value, answer.status]).toEqual([value, 400])
      }
      expect((await served.call('HEAD', path)).status).toBe(204)
    }))

  it('fails loudly when a manifest list is missing: the entry is gone, no file is, the ledger says which', () =>
    withServer(async (served, ledger) => {
      const { json } = await createTable(served)
      const committed = await served.call('POST', path, append(json.metadata, 5n))
      const before = readdirSync(local(json.metadata.location), { recursive: true })
      const answer = await served.call('DELETE', `${path}?purgeRequested=true`)
      expect(answer.json.error).toMatchObject({ code: 500, type: 'PurgeFailedException' })
      const [purge] = await ledger.list()
      expect(purge!.state).toBe('failed')
      expect(purge!.lastError).toContain(committed.json.metadata.snapshots[0]['manifest-list'])
      expect(answer.json.error.message).toContain(purge!.purge.id)
      expect(readdirSync(local(json.metadata.location), { recursive: true })).toEqual(before)
      expect((await served.call('HEAD', path)).status).toBe(404)
    }))

  it('keeps the place of a failed purge reserved, and says so', () =>
    withServer(async (served, ledger) => {
      const location = `file://${served.folder}/main/chosen`
      const { json } = await createTable(served, 'cities', { location })
      rmSync(local(json['metadata-location']))
      expect((await served.call('DELETE', `${path}?purgeRequested=true`)).status).toBe(500)
      const [purge] = await ledger.list()
      const again = await createTable(served, 'cities', { location: `${location}/inside` })
      expect(again.status).toBe(409)
      expect(again.json.error.message).toContain(purge!.purge.id)
      writeFileSync(local(json['metadata-location']), JSON.stringify(json.metadata))
      const register = { name: 'back', 'metadata-location': json['metadata-location'] }
      const refused = await served.call('POST', '/namespaces/ns/register', register)
      expect(refused.status).toBe(409)
      expect(refused.json.error.message).toContain(purge!.purge.id)
    }))

  it('holds the purge of a table that lives on under another name', () =>
    withServer(async (served, ledger) => {
      const { json } = await createTable(served)
      const register = { name: 'twin', 'metadata-location': json['metadata-location'] }
      expect((await served.call('POST', '/namespaces/ns/register', register)).status).toBe(200)
      expect((await served.call('DELETE', `${path}?purgeRequested=true`)).status).toBe(204)
      expect(await ledger.list()).toMatchObject([
        { state: 'held', holdReason: expect.stringContaining('ns.twin') },
      ])
      expect((await served.call('GET', '/namespaces/ns/tables/twin')).status).toBe(200)
    }))

  it('erases a view only when the warehouse says so, and then every version of it', async () => {
    const views = async (served: Served) => {
      await served.call('POST', '/namespaces', { namespace: ['ns'] })
      const view = { name: 'v', schema, 'view-version': viewVersion, properties: {} }
      const { json } = await served.call('POST', '/namespaces/ns/views', view)
      await served.call('POST', '/namespaces/ns/views/v', {
        updates: [{ action: 'set-properties', updates: { a: 'b' } }],
      })
      expect((await served.call('DELETE', '/namespaces/ns/views/v')).status).toBe(204)
      return existsSync(local(json.metadata.location))
    }
    await withServer(async (served) => expect(await views(served)).toBe(true))
    await withServer(async (served) => expect(await views(served)).toBe(false), {
      purge: { views: true },
    })
  })

  it('9. a commit between reading the metadata and dropping the entry is orphaned: never, however they race', () =>
    withServer(async (served, ledger) => {
      for (let round = 0; round < 25; round++) {
        const { json } = await createTable(served)
        const commits = Array.from({ length: 4 }, (_, index) =>
          served.call('POST', path, setProperties({ [`k${index}`]: 'v' })),
        )
        const drop = served.call('DELETE', `${path}?purgeRequested=true`)
        const answers = await Promise.all(commits)
        expect((await drop).status).toBe(204)
        for (const { status } of answers) expect([200, 404]).toContain(status)
        // A commit that lost may have made its folder again; what counts is that no file is left.
        expect(filesIn(local(json.metadata.location))).toEqual([])
      }
      for (const { state } of await ledger.list()) expect(state).toBe('succeeded')
    }))
})
