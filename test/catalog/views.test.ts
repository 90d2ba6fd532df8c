import { expect, it } from 'vitest'
import { forEachDatabase } from '../../src/testing/databases.ts'
import { all, openCatalog, table, view, viewChange } from './fixture.ts'

const v = { namespace: ['ns'], name: 'v' }

forEachDatabase((dialect) => {
  it(`${dialect}: creates, loads, replaces, lists and drops views`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    const created = await catalog.createView(['ns'], view('v', { properties: { a: 'b' } }))
    expect(created.metadataLocation).toMatch(
      /\/ns\/v-[0-9a-f]{32}\/metadata\/00000-[0-9a-f-]{36}\.metadata\.json$/,
    )
    const loaded = await (await test.replica()).loadView(v)
    expect(loaded.document.json).toEqual(created.document.json)
    expect(loaded.document.model).toEqual(created.document.model)
    expect(await catalog.viewExists(v)).toBe(true)
    expect(await catalog.tableExists(v)).toBe(false)
    expect((await catalog.listViews(['ns'], all)).items).toEqual([v])
    expect((await catalog.listTables(['ns'], all)).items).toEqual([])
    const replaced = await catalog.replaceView(
      v,
      viewChange([{ action: 'set-properties', updates: { a: 'c' } }]),
    )
    expect(replaced.metadataLocation).toMatch(/metadata\/00001-/)
    expect((await (await test.replica()).loadView(v)).document.model.properties).toEqual({ a: 'c' })
    await expect(catalog.loadTable(v)).rejects.toMatchObject({ message: 'Table does not exist: ns.v' })
    await expect(catalog.dropTable(v)).rejects.toMatchObject({ type: 'NoSuchTableException' })
    expect(await catalog.dropView(v)).toMatchObject({
      kind: 'view',
      uuid: created.document.model.viewUuid,
      metadataLocation: replaced.metadataLocation,
      places: [{ location: created.document.model.location, owned: true }],
    })
    await expect(catalog.loadView(v)).rejects.toMatchObject({
      type: 'NoSuchViewException',
      message: 'View does not exist: ns.v',
    })
    await expect(catalog.replaceView(v, viewChange([]))).rejects.toMatchObject({
      type: 'NoSuchViewException',
    })
  })

  it(`${dialect}: tables and views share one name space`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    const { metadataLocation } = await catalog.createTable(['ns'], table('t'))
    const created = await catalog.createView(['ns'], view('v'))
    const refused = async (work: Promise<unknown>, message: string) =>
      await expect(work).rejects.toMatchObject({ type: 'AlreadyExistsException', status: 409, message })
    await refused(catalog.createView(['ns'], view('v')), 'View already exists: ns.v')
    await refused(catalog.createView(['ns'], view('t')), 'Table with same name already exists: ns.t')
    await refused(catalog.createTable(['ns'], table('v')), 'View with same name already exists: ns.v')
    await refused(catalog.stageCreateTable(['ns'], table('v')), 'View with same name already exists: ns.v')
    const register = (name: string, location: string | null, overwrite: boolean) => ({
      name,
      metadataLocation: location!,
      overwrite,
    })
    await refused(
      catalog.registerTable(['ns'], register('v', metadataLocation, true)),
      'View with same name already exists: ns.v',
    )
    await refused(
      catalog.registerView(['ns'], register('t', created.metadataLocation, true)),
      'Table with same name already exists: ns.t',
    )
    await refused(
      catalog.registerView(['ns'], register('v', created.metadataLocation, false)),
      'View already exists: ns.v',
    )
  })

  it(`${dialect}: registers a view that was dropped`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    const { metadataLocation, document } = await catalog.createView(['ns'], view('v'))
    await catalog.dropView(v)
    await catalog.registerView(['ns'], { name: 'w', metadataLocation, overwrite: false })
    expect((await catalog.loadView({ namespace: ['ns'], name: 'w' })).document.model).toEqual(document.model)
  })

  it(`${dialect}: replacing from two replicas at once applies both`, async () => {
    await using test = await openCatalog(dialect)
    const replica = await test.replica()
    await test.catalog.createNamespace(['ns'], {})
    await test.catalog.createView(['ns'], view('v'))
    await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        (index % 2 ? replica : test.catalog).replaceView(
          v,
          viewChange([{ action: 'set-properties', updates: { [`k${index}`]: 'x' } }]),
        ),
      ),
    )
    expect(Object.keys((await test.catalog.loadView(v)).document.model.properties)).toHaveLength(16)
  })
})
