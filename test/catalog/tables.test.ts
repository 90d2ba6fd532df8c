import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { isIcebergError } from '../../src/iceberg/errors.ts'
import { forEachDatabase } from '../../src/testing/databases.ts'
import { all, change, openCatalog, path, schema, setLocation, setProperties, table, view } from './fixture.ts'

const t = { namespace: ['ns'], name: 't' }

forEachDatabase((dialect) => {
  it(`${dialect}: creates, loads, lists and drops tables`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await expect(catalog.createTable(['ns'], table('t'))).rejects.toMatchObject({
      type: 'NoSuchNamespaceException',
      message: 'Namespace does not exist: ns',
    })
    await catalog.createNamespace(['ns'], {})
    const created = await catalog.createTable(['ns'], table('t', { properties: { a: 'b' } }))
    const { metadataLocation, document } = created
    expect(metadataLocation).toMatch(/\/ns\/t-[0-9a-f]{32}\/metadata\/00000-[0-9a-f-]{36}\.metadata\.json$/)
    expect(document.model.location).toMatch(new RegExp(`t-${document.model.tableUuid?.replaceAll('-', '')}$`))
    expect(readFileSync(path(metadataLocation!))).toEqual(document.json)
    await expect(catalog.createTable(['ns'], table('t'))).rejects.toMatchObject({
      type: 'AlreadyExistsException',
      message: 'Table already exists: ns.t',
    })
    const loaded = await (await test.replica()).loadTable(t)
    expect(loaded.document.json).toEqual(document.json)
    expect(loaded.document.model).toEqual(document.model)
    expect(await catalog.tableExists(t)).toBe(true)
    expect(await catalog.viewExists(t)).toBe(false)
    expect((await catalog.listTables(['ns'], all)).items).toEqual([t])
    expect((await catalog.listViews(['ns'], all)).items).toEqual([])
    const dropped = await catalog.dropTable(t)
    expect(dropped).toMatchObject({
      kind: 'table',
      warehouse: 'main',
      identifier: t,
      uuid: document.model.tableUuid,
      metadataLocation,
      places: [{ location: document.model.location, owned: true }],
    })
    await expect(catalog.loadTable(t)).rejects.toMatchObject({
      type: 'NoSuchTableException',
      message: 'Table does not exist: ns.t',
    })
    await expect(catalog.dropTable(t)).rejects.toMatchObject({ type: 'NoSuchTableException' })
    expect(existsSync(path(metadataLocation!))).toBe(true)
    // The name is free at once, at another location.
    const again = await catalog.createTable(['ns'], table('t'))
    expect(again.document.model.location).not.toBe(document.model.location)
  })

  it(`${dialect}: a failed create leaves no file`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, folder } = test
    await catalog.createNamespace(['ns'], {})
    const refuse = { alongside: () => Promise.reject(new Error('no')) }
    await expect(catalog.createTable(['ns'], table('t'), refuse)).rejects.toThrow('no')
    await expect(catalog.createView(['ns'], view('v'), refuse)).rejects.toThrow('no')
    await catalog.createTable(['ns'], table('t'))
    await expect(catalog.commitTable(t, setProperties({ a: 'b' }), refuse)).rejects.toThrow('no')
    expect(files(folder)).toHaveLength(1)
    expect((await catalog.loadTable(t)).document.model.properties).not.toHaveProperty('a')
  })

  it(`${dialect}: a commit writes the next file and keeps the log`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    const created = await catalog.createTable(['ns'], table('t'))
    const committed = await catalog.commitTable(t, setProperties({ a: 'b' }))
    expect(committed.metadataLocation).toMatch(/metadata\/00001-[^/]*$/)
    expect(committed.document.model.metadataLog).toMatchObject([{ metadataFile: created.metadataLocation }])
    expect((await (await test.replica()).loadTable(t)).document.model.properties).toMatchObject({ a: 'b' })
    await expect(
      catalog.commitTable(t, change([{ type: 'assert-table-uuid', uuid: crypto.randomUUID() }], [])),
    ).rejects.toMatchObject({
      type: 'CommitFailedException',
      message: expect.stringMatching(/UUID does not match/),
    })
    await expect(
      catalog.commitTable({ namespace: ['ns'], name: 'x' }, setProperties({})),
    ).rejects.toMatchObject({
      type: 'NoSuchTableException',
    })
  })

  it(`${dialect}: a commit that changes nothing writes nothing, but runs what goes with it`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, folder } = test
    await catalog.createNamespace(['ns'], {})
    const created = await catalog.createTable(['ns'], table('t'))
    let calls = 0
    const count = { alongside: async () => void calls++ }
    const unchanged = await catalog.commitTable(t, setLocation(`${created.document.model.location}/`), count)
    expect(unchanged.metadataLocation).toBe(created.metadataLocation)
    expect(await catalog.commitTable(t, change([], []))).toMatchObject({
      metadataLocation: created.metadataLocation,
    })
    expect(calls).toBe(1)
    expect(files(folder)).toHaveLength(1)
  })

  it(`${dialect}: gzip and write.metadata.path are respected`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, location } = test
    await catalog.createNamespace(['ns'], {})
    const properties = {
      'write.metadata.compression-codec': 'GZIP',
      'write.metadata.path': `${location}/elsewhere/`,
    }
    const { metadataLocation, document } = await catalog.createTable(['ns'], table('t', { properties }))
    expect(metadataLocation).toMatch(/\/elsewhere\/00000-[^/]*\.gz\.metadata\.json$/)
    expect(gunzipSync(readFileSync(path(metadataLocation!)))).toEqual(document.json)
    expect((await (await test.replica()).loadTable(t)).document.model).toEqual(document.model)
    const bads: Record<string, string>[] = [
      { 'write.metadata.compression-codec': 'lz77' },
      { 'write.metadata.path': 'relative' },
    ]
    for (const bad of bads) {
      await expect(catalog.commitTable(t, setProperties(bad))).rejects.toMatchObject({ status: 400 })
    }
  })

  it(`${dialect}: trimmed metadata files are deleted when the table asks for it, and only they`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    const properties = {
      'write.metadata.delete-after-commit.enabled': 'true',
      'write.metadata.previous-versions-max': '2',
    }
    const locations = [(await catalog.createTable(['ns'], table('t', { properties }))).metadataLocation!]
    // Somebody has registered the second version under another name: it is a root, too.
    for (let n = 0; n < 6; n++) {
      locations.push((await catalog.commitTable(t, setProperties({ n: String(n) }))).metadataLocation!)
      if (n === 0)
        await catalog.registerTable(['ns'], {
          name: 'copy',
          metadataLocation: locations[1]!,
          overwrite: false,
        })
    }
    expect(locations.map((location) => existsSync(path(location)))).toEqual([
      false,
      true,
      false,
      false,
      true,
      true,
      true,
    ])
  })

  it(`${dialect}: a missing metadata file is said so, and the table can still be dropped`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    const { metadataLocation } = await catalog.createTable(['ns'], table('t'))
    const file = path(metadataLocation!)
    renameSync(file, `${file}.moved`)
    for (const reader of [catalog, await test.replica()]) {
      await expect(reader.loadTable(t)).rejects.toMatchObject({
        type: 'NotFoundException',
        status: 404,
        message: `Failed to open input stream for file: ${metadataLocation}`,
      })
    }
    renameSync(`${file}.moved`, file)
    await catalog.loadTable(t)
    rmSync(file)
    await catalog.dropTable(t)
  })

  it(`${dialect}: a staged create shows nothing, and its commit owns the assigned location`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, folder } = test
    await catalog.createNamespace(['ns'], {})
    const staged = await catalog.stageCreateTable(['ns'], table('t'))
    expect(staged.metadataLocation).toBeNull()
    expect(files(folder)).toEqual([])
    expect(await catalog.tableExists(t)).toBe(false)
    const { tableUuid, location } = staged.document.model
    const create = (uuid: string, location: string) =>
      change(
        [{ type: 'assert-create' }],
        [
          { action: 'assign-uuid', uuid },
          { action: 'upgrade-format-version', 'format-version': 2 },
          { action: 'add-schema', schema, 'last-column-id': 1 },
          { action: 'set-current-schema', 'schema-id': -1 },
          { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
          { action: 'set-default-spec', 'spec-id': -1 },
          { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
          { action: 'set-default-sort-order', 'sort-order-id': -1 },
          { action: 'set-location', location },
          { action: 'set-properties', updates: {} },
        ],
      )
    const committed = await catalog.commitTable(t, create(tableUuid!, location))
    expect(committed.document.model).toMatchObject({ tableUuid, location, formatVersion: 2 })
    expect((await catalog.dropTable(t)).places).toMatchObject([{ location, owned: true }])
    // Another uuid's location proves nothing.
    await catalog.commitTable(t, create(crypto.randomUUID(), location))
    await expect(catalog.commitTable(t, create(tableUuid!, location))).rejects.toMatchObject({
      type: 'CommitFailedException',
      message: expect.stringMatching(/Requirement failed: table already exists/),
    })
    const other = { namespace: ['ns'], name: 'other' }
    await expect(
      catalog.commitTable(other, create(crypto.randomUUID(), `${location}/sub`)),
    ).rejects.toMatchObject({
      type: 'LocationConflictException',
    })
    await catalog.createView(['ns'], view('v'))
    await expect(
      catalog.commitTable(
        { namespace: ['ns'], name: 'v' },
        create(crypto.randomUUID(), `${test.location}/y`),
      ),
    ).rejects.toMatchObject({ message: 'View with same name already exists: ns.v' })
    expect((await catalog.dropTable(t)).places).toMatchObject([{ location, owned: false }])
  })

  it(`${dialect}: chosen locations do not overlap`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, folder, location } = test
    await catalog.createNamespace(['ns'], {})
    await catalog.createTable(['ns'], table('t', { location: `${location}/data/t/` }))
    expect((await catalog.loadTable(t)).document.model.location).toBe(`${location}/data/t`)
    const clashes = ['data/t', 'data', 'data/t/x', 'data//t', 'data/./u/../t'].map(
      (path) => `${folder}/${path}`,
    )
    for (const chosen of clashes) {
      await expect(catalog.createTable(['ns'], table('u', { location: chosen }))).rejects.toMatchObject({
        type: 'LocationConflictException',
        message: expect.stringMatching(/overlaps file:.*\/data\/t, which is held by table ns\.t/),
      })
    }
    for (const bad of [
      location,
      `${location}/x/..`,
      '/',
      'relative',
      'http://x/y',
      '',
      `${location}/${'x'.repeat(3000)}`,
    ]) {
      await expect(catalog.createTable(['ns'], table('u', { location: bad }))).rejects.toMatchObject({
        status: 400,
      })
    }
    await expect(
      catalog.createTable(['ns'], table('u', { location: '/nowhere/near' })),
    ).rejects.toMatchObject({
      status: 403,
    })
    await catalog.createTable(['ns'], table('u', { location: `${location}/data/t2` }))
    await expect(
      catalog.commitTable({ namespace: ['ns'], name: 'u' }, setLocation(`${location}/data/t/u`)),
    ).rejects.toMatchObject({ type: 'LocationConflictException' })
    // A dropped table's location is free again.
    await catalog.dropTable(t)
    await catalog.createTable(['ns'], table('v', { location: `${location}/data/t/x` }))
  })

  it(`${dialect}: set-location keeps the old places until the drop, and may return to them`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, location } = test
    await catalog.createNamespace(['ns'], {})
    const { document } = await catalog.createTable(['ns'], table('t'))
    const first = document.model.location
    await catalog.commitTable(t, setLocation(`${location}/moved`))
    await catalog.commitTable(t, setLocation(`${location}/moved/deeper`))
    await expect(catalog.createTable(['ns'], table('u', { location: `${first}/x` }))).rejects.toMatchObject({
      type: 'LocationConflictException',
    })
    await catalog.commitTable(t, setLocation(`${first}/`))
    const { places } = await catalog.dropTable(t)
    expect(places[0]).toMatchObject({ location: first, owned: true })
    expect(places.slice(1).map(({ location, owned }) => ({ location, owned }))).toEqual(
      expect.arrayContaining([
        { location: `${location}/moved`, owned: false },
        { location: `${location}/moved/deeper`, owned: false },
      ]),
    )
    expect(places).toHaveLength(3)
  })

  it(`${dialect}: a namespace's location is the base of its tables`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, location } = test
    await catalog.createNamespace(['ns'], { location: `${location}/team/` })
    const { document } = await catalog.createTable(['ns'], table('t'))
    expect(document.model.location).toMatch(new RegExp(`^${location}/team/t-[0-9a-f]{32}$`))
  })

  it(`${dialect}: renames within and across namespaces`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    await catalog.createNamespace(['other'], {})
    const { metadataLocation } = await catalog.createTable(['ns'], table('t'))
    await catalog.createTable(['ns'], table('u'))
    await catalog.createView(['ns'], view('v'))
    await catalog.createView(['ns'], view('w'))
    const name = (name: string, ns = 'ns') => ({ namespace: [ns], name })
    const refused = async (work: Promise<unknown>, type: string, message: string) =>
      await expect(work).rejects.toMatchObject({ type, message })
    await refused(
      catalog.renameTable(name('x'), name('y')),
      'NoSuchTableException',
      'Table does not exist: ns.x',
    )
    await refused(
      catalog.renameTable(name('v'), name('y')),
      'NoSuchTableException',
      'Table does not exist: ns.v',
    )
    await refused(
      catalog.renameTable(t, name('t', 'gone')),
      'NoSuchNamespaceException',
      'Namespace does not exist: gone',
    )
    await refused(catalog.renameTable(t, name('u')), 'AlreadyExistsException', 'Table already exists: ns.u')
    await refused(
      catalog.renameTable(t, name('v')),
      'AlreadyExistsException',
      'Cannot rename ns.t to ns.v. View already exists',
    )
    await refused(
      catalog.renameView(name('v'), name('u')),
      'AlreadyExistsException',
      'Cannot rename ns.v to ns.u. Table already exists',
    )
    await refused(
      catalog.renameView(name('v'), name('w')),
      'AlreadyExistsException',
      'Cannot rename ns.v to ns.w. View already exists',
    )
    await refused(
      catalog.renameView(name('t'), name('y')),
      'NoSuchViewException',
      'View does not exist: ns.t',
    )
    await catalog.renameTable(t, name('t', 'other'))
    expect((await catalog.loadTable(name('t', 'other'))).metadataLocation).toBe(metadataLocation)
    expect(await catalog.tableExists(t)).toBe(false)
    await catalog.createTable(['ns'], table('t'))
    expect((await catalog.dropTable(name('t', 'other'))).metadataLocation).toBe(metadataLocation)
    await catalog.loadTable(t)
  })

  it(`${dialect}: a transaction commits all of its tables or none`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, folder } = test
    await catalog.createNamespace(['ns'], {})
    const names = ['a', 'b', 'c'].map((name) => ({ namespace: ['ns'], name }))
    for (const { name } of names) await catalog.createTable(['ns'], table(name))
    const set = (n: string) => names.map((identifier) => ({ identifier, change: setProperties({ n }) }))
    const committed = await catalog.commitTransaction(set('1').reverse())
    expect(committed.map(({ identifier }) => identifier.name)).toEqual(['c', 'b', 'a'])
    const before = files(folder)
    const failing = set('2')
    failing[1]!.change = change([{ type: 'assert-table-uuid', uuid: crypto.randomUUID() }], [])
    await expect(catalog.commitTransaction(failing)).rejects.toMatchObject({ type: 'CommitFailedException' })
    await expect(catalog.commitTransaction([...set('2'), set('3')[0]!])).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('ns.a occurs twice'),
    })
    const alongside = () => Promise.reject(new Error('no'))
    await expect(catalog.commitTransaction(set('2'), { alongside })).rejects.toThrow('no')
    expect(files(folder)).toEqual(before)
    for (const identifier of names) {
      expect((await catalog.loadTable(identifier)).document.model.properties).toMatchObject({ n: '1' })
    }
  })

  it(`${dialect}: alongside sees the transaction, its error passes unchanged`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    await catalog.createTable(['ns'], table('t'))
    let seen: unknown
    await catalog.dropTable(t, {
      alongside: async (tx, dropped) => {
        expect(await tx.selectFrom('entries').select('id').execute()).toEqual([])
        seen = await tx.selectFrom('places').select('id').where('entry_id', '=', dropped.entryId).execute()
      },
    })
    expect(seen).toHaveLength(1)
    expect(await test.database.reader.selectFrom('places').select('id').execute()).toEqual([])
    await catalog.createTable(['ns'], table('t'))
    const failure = new Error('no')
    const error = await catalog
      .dropTable(t, { alongside: () => Promise.reject(failure) })
      .catch((error) => error)
    expect(error).toBe(failure)
    expect(isIcebergError(error)).toBe(false)
    expect(await catalog.tableExists(t)).toBe(true)
  })
})

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort()
}
