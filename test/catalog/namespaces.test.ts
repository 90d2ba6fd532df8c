import { expect, it } from 'vitest'
import type { Namespace } from '../../src/iceberg/identifier.ts'
import { forEachDatabase } from '../../src/testing/databases.ts'
import { all, openCatalog, table, view } from './fixture.ts'

forEachDatabase((dialect) => {
  it(`${dialect}: creates, loads, lists and drops nested namespaces`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await expect(catalog.createNamespace(['a', 'b'], {})).rejects.toMatchObject({
      type: 'NoSuchNamespaceException',
      message: 'Namespace does not exist: a',
    })
    await catalog.createNamespace(['a'], { owner: 'me' })
    await catalog.createNamespace(['a', 'b'], {})
    await catalog.createNamespace(['a', 'b', 'c'], {})
    await catalog.createNamespace(['z'], {})
    await expect(catalog.createNamespace(['a'], {})).rejects.toMatchObject({
      type: 'AlreadyExistsException',
      message: 'Namespace already exists: a',
    })
    expect(await catalog.loadNamespace(['a'])).toEqual({ namespace: ['a'], properties: { owner: 'me' } })
    expect((await catalog.listNamespaces(undefined, all)).items).toEqual([['a'], ['z']])
    expect((await catalog.listNamespaces(['a'], all)).items).toEqual([['a', 'b']])
    await expect(catalog.listNamespaces(['x'], all)).rejects.toMatchObject({
      message: 'Namespace does not exist: x',
    })
    await expect(catalog.dropNamespace(['a', 'b'])).rejects.toMatchObject({
      type: 'NamespaceNotEmptyException',
      message: expect.stringContaining('Namespace a.b is not empty'),
    })
    await catalog.dropNamespace(['a', 'b', 'c'])
    await catalog.dropNamespace(['a', 'b'])
    await expect(catalog.dropNamespace(['a', 'b'])).rejects.toMatchObject({
      type: 'NoSuchNamespaceException',
    })
    await expect(catalog.loadNamespace(['a', 'b'])).rejects.toMatchObject({
      type: 'NoSuchNamespaceException',
    })
  })

  it(`${dialect}: a namespace with a table or a view in it is not dropped`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    for (const kind of ['table', 'view'] as const) {
      await catalog.createNamespace([kind], {})
      if (kind === 'table') await catalog.createTable([kind], table('x'))
      else await catalog.createView([kind], view('x'))
      await expect(catalog.dropNamespace([kind])).rejects.toMatchObject({
        type: 'NamespaceNotEmptyException',
      })
    }
    await catalog.dropTable({ namespace: ['table'], name: 'x' })
    await catalog.dropNamespace(['table'])
  })

  it(`${dialect}: updates properties, __proto__ among them`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['a'], { one: '1', two: '2' })
    const updates = JSON.parse('{"__proto__":"p","two":"zwei","nul":"\\u0000","half":"\\ud800"}')
    expect(await catalog.updateNamespaceProperties(['a'], ['one', 'gone', 'one'], updates)).toEqual({
      updated: ['__proto__', 'two', 'nul', 'half'],
      removed: ['one'],
      missing: ['gone'],
    })
    const { properties } = await catalog.loadNamespace(['a'])
    expect(Object.entries(properties)).toEqual([
      ['two', 'zwei'],
      ['__proto__', 'p'],
      ['nul', '\0'],
      ['half', '\ud800'],
    ])
    await expect(catalog.updateNamespaceProperties(['a'], ['two'], { two: 'x' })).rejects.toMatchObject({
      type: 'UnprocessableEntityException',
      status: 422,
    })
    await expect(catalog.updateNamespaceProperties(['b'], [], {})).rejects.toMatchObject({ status: 404 })
    await expect(
      catalog.updateNamespaceProperties(['a'], [], { location: 'relative' }),
    ).rejects.toMatchObject({
      status: 400,
    })
    await expect(catalog.createNamespace(['c'], { location: 'bogus://x' })).rejects.toMatchObject({
      status: 400,
    })
  })

  it(`${dialect}: any name but a few is legal, and stays distinct`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    const names = [
      'a/b',
      'a%2Fb',
      '..',
      '.',
      ' ',
      'a.b',
      'A',
      'a',
      'é',
      'e\u0301',
      '😀',
      '\n',
      '"',
      "';--",
      '%',
      '+',
    ]
    for (const name of names) {
      await catalog.createNamespace([name], {})
      await catalog.createTable([name], table(name))
    }
    expect((await catalog.listNamespaces(undefined, all)).items.map(([name]) => name).sort()).toEqual(
      names.sort(),
    )
    for (const name of names) {
      const loaded = await catalog.loadTable({ namespace: [name], name })
      const segments = loaded.metadataLocation!.slice(test.location.length + 1).split('/')
      // Always <namespace>/<table>-<uuid>/metadata/<file>, each a plain segment.
      expect(segments).toHaveLength(4)
      for (const segment of segments) expect(segment).toMatch(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/)
    }
  })

  it(`${dialect}: names that no row can hold are refused everywhere`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    const bad: Namespace[] = [[], [''], ['a', ''], ['a\0'], ['a\u001fb'], ['\ud800'], ['x'.repeat(1025)]]
    bad.push(Array.from({ length: 1000 }, () => 'ab'))
    for (const namespace of bad) {
      const refused = { type: 'BadRequestException', status: 400 }
      await expect(catalog.createNamespace(namespace, {})).rejects.toMatchObject(refused)
      await expect(catalog.loadNamespace(namespace)).rejects.toMatchObject(refused)
      await expect(catalog.listTables(namespace, all)).rejects.toMatchObject(refused)
      await expect(catalog.tableExists({ namespace, name: 't' })).rejects.toMatchObject(refused)
    }
    await catalog.createNamespace(['é'.repeat(512)], {})
    await catalog.createTable(['é'.repeat(512)], table('é'.repeat(512)))
    await expect(catalog.createTable(['é'.repeat(512)], table('x\0'))).rejects.toMatchObject({ status: 400 })
  })

  it(`${dialect}: pages go on after the last name, whatever came and went`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    const names = Array.from({ length: 25 }, (_, index) => `n${String(index).padStart(2, '0')}`)
    for (const name of names) await catalog.createNamespace([name], {})
    const seen: string[] = []
    let token: string | undefined
    do {
      const page = await catalog.listNamespaces(undefined, { token, size: 10 })
      seen.push(...page.items.map(([name]) => name!))
      if (seen.at(-1) === 'n09') await catalog.dropNamespace(['n09'])
      token = page.next
    } while (token)
    expect(seen).toEqual(names)
    const first = await catalog.listNamespaces(undefined, { token: undefined, size: 1 })
    await catalog.createNamespace(['n00', 'child'], {})
    for (const request of [
      { token: 'junk', size: 10 },
      { token: '', size: 10 },
      { token: Buffer.from('["x"]').toString('base64url'), size: 10 },
    ]) {
      await expect(catalog.listNamespaces(undefined, request)).rejects.toMatchObject({ status: 400 })
    }
    await expect(catalog.listNamespaces(['n00'], { token: first.next, size: 1 })).rejects.toMatchObject({
      status: 400,
    })
    for (const size of [0, -1, 1.5, 1001, Number.NaN]) {
      await expect(catalog.listNamespaces(undefined, { token: undefined, size })).rejects.toMatchObject({
        status: 400,
      })
    }
  })

  it(`${dialect}: dropping a namespace and creating inside it never both succeed`, async () => {
    await using test = await openCatalog(dialect)
    const replica = await test.replica()
    for (let round = 0; round < 40; round++) {
      const namespace = [`n${round}`]
      await test.catalog.createNamespace(namespace, {})
      const results = await Promise.allSettled([
        round % 2
          ? replica.createTable(namespace, table('t'))
          : replica.createNamespace([...namespace, 'c'], {}),
        test.catalog.dropNamespace(namespace),
      ])
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const result of results) {
        if (result.status === 'rejected') {
          expect(result.reason.type).toMatch(/NoSuchNamespaceException|NamespaceNotEmptyException/)
        }
      }
    }
  })
})
