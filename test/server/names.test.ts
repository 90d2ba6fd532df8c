import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Served, schema, serve, viewVersion } from './fixture.ts'

let served: Served
beforeAll(async () => {
  served = await serve()
})
afterAll(async () => {
  await served[Symbol.asyncDispose]()
})

const oddNames = [
  'a/b',
  '50%',
  '%2F',
  '%252F',
  'a.b',
  'größe',
  '東京',
  '🦆',
  'a b',
  'a+b',
  'q?x=1&y',
  'h#x',
  '..',
  '.',
  '"quoted"',
  "it's",
  'a:b;c',
  'x'.repeat(300),
  '\\back',
  'tab\tname',
]

describe('names', () => {
  it.each(oddNames)('table %j is created, listed, loaded, committed, renamed and dropped', async (name) => {
    const namespace = `n${oddNames.indexOf(name)}`
    await served.call('POST', '/namespaces', { namespace: [namespace] })
    const path = `/namespaces/${namespace}/tables/${encodeURIComponent(name)}`
    expect((await served.call('POST', `/namespaces/${namespace}/tables`, { name, schema })).status).toBe(200)
    const list = await served.call('GET', `/namespaces/${namespace}/tables`)
    expect(list.json.identifiers).toEqual([{ namespace: [namespace], name }])
    if (name !== '.' && name !== '..') {
      expect((await served.call('GET', path)).status).toBe(200)
      expect((await served.call('HEAD', path)).status).toBe(204)
      const update = { requirements: [], updates: [{ action: 'set-properties', updates: { a: name } }] }
      expect((await served.call('POST', path, update)).json.metadata.properties.a).toBe(name)
    }
    const rename = await served.call('POST', '/tables/rename', {
      source: { namespace: [namespace], name },
      destination: { namespace: [namespace], name: 'plain' },
    })
    expect(rename.status).toBe(204)
    expect(
      (await served.call('DELETE', `/namespaces/${namespace}/tables/plain?purgeRequested=true`)).status,
    ).toBe(204)
  })

  it.each(oddNames.filter((name) => !/^\.+$/.test(name)))(
    'namespace %j nests, and its views work',
    async (name) => {
      const outer = `v${oddNames.indexOf(name)}`
      expect((await served.call('POST', '/namespaces', { namespace: [outer] })).status).toBe(200)
      const made = await served.call('POST', '/namespaces', {
        namespace: [outer, name],
        properties: { k: 'v' },
      })
      expect(made.json).toEqual({ namespace: [outer, name], properties: { k: 'v' } })
      const path = `/namespaces/${outer}%1F${encodeURIComponent(name)}`
      expect((await served.call('GET', path)).json.namespace).toEqual([outer, name])
      expect((await served.call('GET', `/namespaces?parent=${outer}`)).json.namespaces).toEqual([
        [outer, name],
      ])
      const view = { name: 'w', schema, 'view-version': viewVersion, properties: {} }
      expect((await served.call('POST', `${path}/views`, view)).status).toBe(200)
      expect((await served.call('DELETE', path)).json.error.type).toBe('NamespaceNotEmptyException')
      expect((await served.call('DELETE', `${path}/views/w`)).status).toBe(204)
      expect((await served.call('DELETE', path)).status).toBe(204)
    },
  )

  it('decodes a path exactly once', async () => {
    await served.call('POST', '/namespaces', { namespace: ['once'] })
    await served.call('POST', '/namespaces/once/tables', { name: '%2F', schema })
    expect((await served.call('GET', '/namespaces/once/tables/%252F')).status).toBe(200)
    expect((await served.call('GET', '/namespaces/once/tables/%2F')).status).toBe(404)
  })

  it('refuses broken encodings, empty levels and control characters with 400', async () => {
    for (const path of ['/namespaces/%zz', '/namespaces/a%1F', '/namespaces/%1Fa', '/namespaces/a%00b']) {
      const answer = await served.call('GET', path)
      expect([path, answer.status]).toEqual([path, 400])
      expect(answer.json.error.code).toBe(400)
    }
    for (const namespace of [[], [''], ['a', ''], ['a\u0000'], ['a\u001fb'], ['x'.repeat(5_000)]]) {
      expect((await served.call('POST', '/namespaces', { namespace })).status).toBe(400)
    }
    for (const name of ['', 'x'.repeat(5_000), 'a\u0000b']) {
      expect((await served.call('POST', '/namespaces/once/tables', { name, schema })).status).toBe(400)
    }
  })

  it('wants the parent of a nested namespace to exist', async () => {
    const answer = await served.call('POST', '/namespaces', { namespace: ['nowhere', 'child'] })
    expect(answer.status).toBe(404)
    expect(answer.json.error).toMatchObject({ type: 'NoSuchNamespaceException' })
  })
})
