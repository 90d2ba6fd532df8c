import { existsSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { append, createTable, type Served, schema, serve, setProperties, viewVersion } from './fixture.ts'

let served: Served
beforeAll(async () => {
  served = await serve()
})
afterAll(async () => {
  await served[Symbol.asyncDispose]()
})

let number = 0
let name: string
let path: string
beforeEach(() => {
  name = `t${number++}`
  path = `/namespaces/ns/tables/${name}`
})

describe('loading a table', () => {
  it('keeps 64-bit numbers exact through create, commit and load', async () => {
    const { json } = await createTable(served, name)
    const id = 9_223_372_036_854_775_807n
    expect((await served.call('POST', path, append(json.metadata, id))).status).toBe(200)
    const loaded = await served.call('GET', path)
    expect(loaded.json.metadata['current-snapshot-id']).toBe(id)
    expect(loaded.json.metadata.refs.main['snapshot-id']).toBe(id)
    expect(loaded.text).toContain('"snapshot-id":9223372036854775807')
  })

  it('answers 304 to a tag that is still right, in every way that clients write it', async () => {
    await createTable(served, name)
    const first = await served.call('GET', path)
    const etag = first.headers.get('etag')!
    expect(etag).toMatch(/^".+"$/)
    for (const header of [etag, `W/${etag}`, etag.replaceAll('"', ''), `"other", ${etag}`, '*']) {
      const answer = await served.call('GET', path, undefined, { 'if-none-match': header })
      expect([header, answer.status, answer.text]).toEqual([header, 304, ''])
    }
    await served.call('POST', path, setProperties({ a: 'b' }))
    const changed = await served.call('GET', path, undefined, { 'if-none-match': etag })
    expect(changed.status).toBe(200)
    expect(changed.headers.get('etag')).not.toBe(etag)
  })

  it('sends only referenced snapshots when asked, under a tag of its own', async () => {
    let { json } = await createTable(served, name)
    for (const id of [1n, 2n, 3n]) json = (await served.call('POST', path, append(json.metadata, id))).json
    await served.call('POST', path, {
      updates: [{ action: 'set-snapshot-ref', 'ref-name': 'tag', type: 'tag', 'snapshot-id': 1 }],
    })
    const all = await served.call('GET', `${path}?snapshots=all`)
    const refs = await served.call('GET', `${path}?snapshots=refs`)
    const ids = (answer: typeof all) =>
      answer.json.metadata.snapshots.map((snapshot: Record<string, unknown>) => snapshot['snapshot-id'])
    expect(ids(all)).toEqual([1, 2, 3])
    expect(ids(refs)).toEqual([1, 3])
    expect(refs.json.metadata['snapshot-log']).toEqual(all.json.metadata['snapshot-log'])
    expect(refs.headers.get('etag')).not.toBe(all.headers.get('etag'))
    expect((await served.call('GET', `${path}?snapshots=some`)).json.error.message).toContain('snapshots')
  })

  it('says which is missing: namespace, table, or metadata file', async () => {
    await createTable(served, name)
    const type = async (target: string) => (await served.call('GET', target)).json.error.type
    expect(await type('/namespaces/nope/tables/t')).toBe('NoSuchTableException')
    expect(await type('/namespaces/nope/tables')).toBe('NoSuchNamespaceException')
    expect(await type('/namespaces/ns/tables/nope')).toBe('NoSuchTableException')
    expect(await type('/namespaces/ns/views/nope')).toBe('NoSuchViewException')
    expect((await served.call('HEAD', '/namespaces/ns/tables/nope')).status).toBe(404)
  })
})

describe('creating a table', () => {
  it('stages: nothing is visible until the commit with assert-create', async () => {
    await served.call('POST', '/namespaces', { namespace: ['ns'] })
    const staged = await createTable(served, name, { 'stage-create': true })
    expect(staged.json['metadata-location']).toBeNull()
    expect((await served.call('HEAD', path)).status).toBe(404)
    const { metadata } = staged.json
    expect(existsSync(metadata.location.replace('file://', ''))).toBe(false)
    const commit = {
      requirements: [{ type: 'assert-create' }],
      updates: [
        { action: 'assign-uuid', uuid: metadata['table-uuid'] },
        { action: 'upgrade-format-version', 'format-version': 2 },
        { action: 'add-schema', schema: metadata.schemas[0], 'last-column-id': 2 },
        { action: 'set-current-schema', 'schema-id': -1 },
        { action: 'add-spec', spec: metadata['partition-specs'][0] },
        { action: 'set-default-spec', 'spec-id': -1 },
        { action: 'add-sort-order', 'sort-order': metadata['sort-orders'][0] },
        { action: 'set-default-sort-order', 'sort-order-id': -1 },
        { action: 'set-location', location: metadata.location },
      ],
    }
    expect((await served.call('POST', path, commit)).status).toBe(200)
    expect((await served.call('GET', path)).json.metadata['table-uuid']).toBe(metadata['table-uuid'])
    const again = await served.call('POST', path, commit)
    expect(again.json.error).toMatchObject({ code: 409, type: 'CommitFailedException' })
    expect(again.json.error.message).toContain('Requirement failed: table already exists')
  })

  it('refuses a location that overlaps another table, by whole segments', async () => {
    const location = `file://${served.folder}/main/chosen-${name}`
    expect((await createTable(served, name, { location })).status).toBe(200)
    for (const other of [
      location,
      `${location}/`,
      `${location}/inside`,
      `file:${served.folder}/main/x/../chosen-${name}`,
    ]) {
      const answer = await createTable(served, `${name}-x`, { location: other })
      expect([other, answer.status]).toEqual([other, 409])
      expect(answer.json.error.message).toContain(`ns.${name}`)
    }
    expect((await createTable(served, `${name}-2`, { location: `${location}2` })).status).toBe(200)
  })

  it('refuses a location outside of what the warehouse may touch', async () => {
    const answer = await createTable(served, name, { location: 'file:///etc/moulin' })
    expect(answer.status).toBe(403)
    expect(answer.json.error.message).toContain('allowedLocations')
  })

  it('takes a name again at once after a drop, in a place of its own', async () => {
    const first = await createTable(served, name)
    await served.call('DELETE', path)
    const second = await createTable(served, name)
    expect(second.status).toBe(200)
    expect(second.json.metadata.location).not.toBe(first.json.metadata.location)
  })
})

describe('committing', () => {
  it('applies a transaction to all tables or to none', async () => {
    await createTable(served, name)
    await createTable(served, `${name}b`)
    const change = (table: string, requirements: object[]) => ({
      identifier: { namespace: ['ns'], name: table },
      requirements,
      updates: [{ action: 'set-properties', updates: { committed: 'yes' } }],
    })
    const bad = {
      'table-changes': [
        change(name, []),
        change(`${name}b`, [{ type: 'assert-current-schema-id', 'current-schema-id': 7 }]),
      ],
    }
    expect((await served.call('POST', '/transactions/commit', bad)).status).toBe(409)
    for (const table of [name, `${name}b`]) {
      const { json } = await served.call('GET', `/namespaces/ns/tables/${table}`)
      expect(json.metadata.properties.committed).toBeUndefined()
    }
    const good = { 'table-changes': [change(name, []), change(`${name}b`, [])] }
    expect((await served.call('POST', '/transactions/commit', good)).status).toBe(204)
    for (const table of [name, `${name}b`]) {
      const { json } = await served.call('GET', `/namespaces/ns/tables/${table}`)
      expect(json.metadata.properties.committed).toBe('yes')
    }
    const twice = { 'table-changes': [change(name, []), change(name, [])] }
    expect((await served.call('POST', '/transactions/commit', twice)).status).toBe(400)
  })

  it('refuses updates and requirements that it does not know, and an identifier that is another', async () => {
    await createTable(served, name)
    const update = await served.call('POST', path, { updates: [{ action: 'make-coffee' }] })
    expect(update.json.error).toMatchObject({ code: 400 })
    expect(update.json.error.message).toContain('make-coffee')
    const requirement = { requirements: [{ type: 'assert-tea' }], updates: [] }
    expect((await served.call('POST', path, requirement)).json.error.message).toContain('assert-tea')
    const other = { identifier: { namespace: ['ns'], name: 'other' }, ...setProperties({ a: 'b' }) }
    expect((await served.call('POST', path, other)).status).toBe(400)
  })

  it('writes gzip metadata when the table says so, and reads it', async () => {
    await createTable(served, name, { properties: { 'write.metadata.compression-codec': 'gzip' } })
    const { json } = await served.call('POST', path, setProperties({ a: 'b' }))
    expect(json['metadata-location']).toMatch(/\.gz\.metadata\.json$/)
    expect((await served.call('GET', path)).json.metadata.properties.a).toBe('b')
  })
})

describe('registering', () => {
  it('brings a dropped table back, and replaces one with overwrite', async () => {
    const created = await createTable(served, name)
    const location = created.json['metadata-location']
    await served.call('POST', path, setProperties({ version: 'later' }))
    const request = { name, 'metadata-location': location }
    expect((await served.call('POST', '/namespaces/ns/register', request)).json.error.type).toBe(
      'AlreadyExistsException',
    )
    const replaced = await served.call('POST', '/namespaces/ns/register', { ...request, overwrite: true })
    expect(replaced.json['metadata-location']).toBe(location)
    expect((await served.call('GET', path)).json.metadata.properties.version).toBeUndefined()
    await served.call('DELETE', path)
    expect((await served.call('POST', '/namespaces/ns/register', request)).status).toBe(200)
    expect((await served.call('GET', path)).json['metadata-location']).toBe(location)
  })

  it('says what is wrong with a file that is no metadata', async () => {
    await createTable(served, name)
    const register = (location: string) =>
      served.call('POST', '/namespaces/ns/register', { name: `${name}r`, 'metadata-location': location })
    expect((await register(`file://${served.folder}/main/nothing.metadata.json`)).json.error.type).toBe(
      'NotFoundException',
    )
    expect((await register('file:///etc/hostname')).status).toBe(403)
    expect((await register('relative/path')).status).toBe(400)
    expect((await register('gs://bucket/x')).status).toBe(400)
  })

  it('unregisters: the entry goes, the files stay, the answer is what another catalog needs', async () => {
    const created = await createTable(served, name)
    const answer = await served.call('POST', `${path}/unregister`)
    expect(answer.status).toBe(200)
    expect(answer.json['metadata-location']).toBe(created.json['metadata-location'])
    expect(answer.json.metadata['table-uuid']).toBe(created.json.metadata['table-uuid'])
    expect((await served.call('HEAD', path)).status).toBe(404)
    expect(existsSync(created.json['metadata-location'].replace('file://', ''))).toBe(true)
  })
})

describe('listing', () => {
  it('pages through tables, views and namespaces without losing or repeating any', async () => {
    await served.call('POST', '/namespaces', { namespace: ['pages'] })
    const names = Array.from({ length: 7 }, (_, index) => `p${index}`)
    for (const table of names) await served.call('POST', '/namespaces/pages/tables', { name: table, schema })
    for (const view of names) {
      await served.call('POST', '/namespaces/pages/views', {
        name: `v${view}`,
        schema,
        'view-version': viewVersion,
        properties: {},
      })
      await served.call('POST', '/namespaces', { namespace: ['pages', view] })
    }
    const collect = async (target: string, key: string) => {
      const found: unknown[] = []
      let token: string | null = ''
      do {
        const join = target.includes('?') ? '&' : '?'
        const { json } = await served.call(
          'GET',
          `${target}${join}pageSize=3&pageToken=${encodeURIComponent(token!)}`,
        )
        expect(json[key].length).toBeLessThanOrEqual(3)
        found.push(...json[key])
        token = json['next-page-token']
      } while (token !== null)
      return found
    }
    const named = (all: unknown[]) => all.map((item) => (item as { name: string }).name)
    expect(named(await collect('/namespaces/pages/tables', 'identifiers'))).toEqual(names)
    expect(named(await collect('/namespaces/pages/views', 'identifiers'))).toEqual(names.map((n) => `v${n}`))
    expect(await collect('/namespaces?parent=pages', 'namespaces')).toEqual(names.map((n) => ['pages', n]))
    const whole = await served.call('GET', '/namespaces/pages/tables')
    expect(named(whole.json.identifiers)).toEqual(names)
    expect(whole.json['next-page-token']).toBeNull()
    for (const query of ['pageSize=0', 'pageSize=x', 'pageSize=-1', 'pageToken=%00', 'pageToken=!!!']) {
      expect([query, (await served.call('GET', `/namespaces/pages/tables?${query}`)).status]).toEqual([
        query,
        400,
      ])
    }
  })
})

describe('views', () => {
  it('are created, replaced, renamed, registered and dropped; their files stay', async () => {
    await served.call('POST', '/namespaces', { namespace: ['ns'] })
    const view = { name, schema, 'view-version': viewVersion, properties: {} }
    const created = await served.call('POST', '/namespaces/ns/views', view)
    expect(created.status).toBe(200)
    const replaced = await served.call('POST', `/namespaces/ns/views/${name}`, {
      requirements: [{ type: 'assert-view-uuid', uuid: created.json.metadata['view-uuid'] }],
      updates: [{ action: 'set-properties', updates: { a: 'b' } }],
    })
    expect(replaced.json.metadata.properties.a).toBe('b')
    const rename = {
      source: { namespace: ['ns'], name },
      destination: { namespace: ['ns'], name: `${name}-renamed` },
    }
    expect((await served.call('POST', '/views/rename', rename)).status).toBe(204)
    expect((await served.call('DELETE', `/namespaces/ns/views/${name}-renamed`)).status).toBe(204)
    const folder = `${created.json.metadata.location.replace('file://', '')}/metadata`
    expect(readdirSync(folder)).toHaveLength(2)
    const register = { name, 'metadata-location': replaced.json['metadata-location'] }
    expect((await served.call('POST', '/namespaces/ns/register-view', register)).status).toBe(200)
    expect((await served.call('GET', `/namespaces/ns/views/${name}`)).json.metadata.properties.a).toBe('b')
  })
})
