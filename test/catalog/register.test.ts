import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { DroppedEntry } from '../../src/catalog/catalog.ts'
import type { Transaction } from '../../src/database/database.ts'
import { namespacePath } from '../../src/database/namespace-path.ts'
import { lockPlaces } from '../../src/database/places.ts'
import type { PurgeState } from '../../src/database/schema/purges.ts'
import type { IcebergError } from '../../src/iceberg/errors.ts'
import { canonicalLocation } from '../../src/storage/location.ts'
import { forEachDatabase } from '../../src/testing/databases.ts'
import { openCatalog, path, setProperties, table } from './fixture.ts'

const t = { namespace: ['ns'], name: 't' }

/** What the ledger does alongside a drop: a row, and the places handed over. */
function purge(id: string, state: PurgeState) {
  return async (tx: Transaction, dropped: DroppedEntry) => {
    await tx
      .insertInto('purges')
      .values({
        id,
        state,
        kind: dropped.kind,
        warehouse: dropped.warehouse,
        namespace: namespacePath(dropped.identifier.namespace),
        name: dropped.identifier.name,
        entry_id: dropped.entryId,
        uuid: dropped.uuid ?? null,
        metadata_location: dropped.metadataLocation,
        metadata_key: canonicalLocation(dropped.metadataLocation),
        locations: '[]',
        purger: 'test',
        principal: 'me',
        request_id: 'r',
        client: 'c',
        requested_at: 0,
        updated_at: 0,
        next_attempt_at: 0,
        attempts: 0,
        max_attempts: 5,
        priority: 0,
        lease_epoch: 0,
        counts: '{}',
        started_at: null,
        finished_at: null,
        lease_owner: null,
        lease_expires_at: null,
        checkpoint: null,
        reference: null,
        held_from: null,
        hold_reason: null,
        last_error: null,
      })
      .execute()
    if (state === 'succeeded') return
    await tx
      .updateTable('places')
      .set({ purge_id: id, entry_id: null })
      .where('entry_id', '=', dropped.entryId)
      .execute()
  }
}

forEachDatabase((dialect) => {
  it(`${dialect}: registers a dropped table again, not owning its location any more`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    const { metadataLocation, document } = await catalog.createTable(['ns'], table('t'))
    await catalog.dropTable(t)
    const request = { name: 'back', metadataLocation: metadataLocation!, overwrite: false }
    const registered = await catalog.registerTable(['ns'], request)
    expect(registered).toMatchObject({ metadataLocation, warnings: [] })
    expect(registered.document.model).toEqual(document.model)
    await expect(catalog.registerTable(['ns'], request)).rejects.toMatchObject({
      type: 'AlreadyExistsException',
      message: 'Table already exists: ns.back',
    })
    await catalog.commitTable({ namespace: ['ns'], name: 'back' }, setProperties({ a: 'b' }))
    const dropped = await catalog.dropTable({ namespace: ['ns'], name: 'back' })
    expect(dropped.places).toMatchObject([{ location: document.model.location, owned: false }])
  })

  it(`${dialect}: sharing files with live tables is accepted with warnings`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    const { metadataLocation } = await catalog.createTable(['ns'], table('t'))
    const request = { name: 'copy', metadataLocation: path(metadataLocation!), overwrite: false }
    const { warnings } = await catalog.registerTable(['ns'], request)
    expect(warnings).toEqual([
      expect.stringMatching(/overlaps .* of table ns\.t of warehouse main/),
      'The metadata file is also that of table ns.t of warehouse main.',
    ])
  })

  it(`${dialect}: refuses what is missing or is no metadata`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, folder } = test
    await catalog.createNamespace(['ns'], {})
    const register = (metadataLocation: string, ns = 'ns') =>
      catalog.registerTable([ns], { name: 't', metadataLocation, overwrite: false })
    await expect(register(`${folder}/none.metadata.json`)).rejects.toMatchObject({
      type: 'NotFoundException',
      message: `Failed to open input stream for file: ${folder}/none.metadata.json`,
    })
    await expect(register('relative')).rejects.toMatchObject({ status: 400 })
    await expect(register('/etc/passwd')).rejects.toMatchObject({ status: 403 })
    await expect(register(`${folder}/x`, 'gone')).rejects.toMatchObject({ type: 'NoSuchNamespaceException' })
    for (const [index, content] of ['', '{', 'null', '{}', '{"format-version":4}', '[]', '\0'].entries()) {
      const file = `${folder}/${index}.metadata.json`
      writeFileSync(file, content)
      await expect(register(file)).rejects.toMatchObject({ type: 'BadRequestException' })
    }
    expect(await catalog.tableExists(t)).toBe(false)
  })

  it(`${dialect}: the files of an unfinished purge are refused, those of a finished one are not`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    for (const state of ['retained', 'pending', 'running', 'handed_off', 'held', 'failed'] as const) {
      const name = state
      const first = await catalog.createTable(['ns'], table(name))
      const second = await catalog.commitTable({ namespace: ['ns'], name }, setProperties({ a: 'b' }))
      const id = randomUUID()
      await catalog.dropTable({ namespace: ['ns'], name }, { alongside: purge(id, state) })
      for (const { metadataLocation } of [first, second]) {
        await expect(
          catalog.registerTable(['ns'], {
            name: 'again',
            metadataLocation: metadataLocation!,
            overwrite: false,
          }),
        ).rejects.toMatchObject({
          type: 'LocationConflictException',
          status: 409,
          message: expect.stringContaining(`unfinished purge ${id}`),
        })
      }
      await expect(
        catalog.createTable(['ns'], table('x', { location: `${first.document.model.location}/sub` })),
      ).rejects.toMatchObject({ message: expect.stringContaining(`an unfinished purge ${id}`) })
    }
    const { metadataLocation } = await catalog.createTable(['ns'], table('t'))
    await catalog.dropTable(t, { alongside: purge(randomUUID(), 'succeeded') })
    await catalog.registerTable(['ns'], {
      name: 'again',
      metadataLocation: metadataLocation!,
      overwrite: false,
    })
  })

  it(`${dialect}: a purged table's file copied elsewhere is known by its uuid`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, folder } = test
    await catalog.createNamespace(['ns'], {})
    const { document } = await catalog.createTable(['ns'], table('t'))
    await catalog.dropTable(t, { alongside: purge(randomUUID(), 'held') })
    const metadataLocation = `${folder}/copy.metadata.json`
    const moved = document.json.toString().replaceAll(document.model.location, `${folder}/elsewhere`)
    writeFileSync(metadataLocation, moved)
    await expect(
      catalog.registerTable(['ns'], { name: 't', metadataLocation, overwrite: false }),
    ).rejects.toMatchObject({ type: 'LocationConflictException' })
  })

  it(`${dialect}: overwrite moves the pointer and keeps the entry`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog } = test
    await catalog.createNamespace(['ns'], {})
    const first = await catalog.createTable(['ns'], table('t'))
    await catalog.commitTable(t, setProperties({ a: 'b' }))
    const other = await catalog.createTable(['ns'], table('other'))
    const id = async () =>
      (
        await test.database.reader
          .selectFrom('entries')
          .select('id')
          .where('name', '=', 't')
          .executeTakeFirst()
      )?.id
    const before = await id()
    const overwrite = async (metadataLocation: string | null) =>
      await catalog.registerTable(['ns'], { name: 't', metadataLocation: metadataLocation!, overwrite: true })
    // Back to its own first version: still its own place.
    expect((await overwrite(first.metadataLocation)).warnings).toEqual([])
    expect((await catalog.loadTable(t)).metadataLocation).toBe(first.metadataLocation)
    expect(await id()).toBe(before)
    // To another table's file: that table's place is not t's, and t's own is let go.
    const { warnings } = await overwrite(other.metadataLocation)
    expect(warnings).toHaveLength(2)
    expect(await id()).toBe(before)
    const { places } = await catalog.dropTable(t)
    expect(places).toMatchObject([{ location: other.document.model.location, owned: false }])
    // Where there is none, overwrite registers.
    await overwrite(first.metadataLocation)
    expect((await catalog.loadTable(t)).metadataLocation).toBe(first.metadataLocation)
  })

  it(`${dialect}: a register is refused, or seen by the guard of the purge`, async () => {
    await using test = await openCatalog(dialect)
    const { catalog, database } = test
    const replica = await test.replica()
    await catalog.createNamespace(['ns'], {})
    /** What a purge does before it erases anything: look for live entries with the same root. */
    const guard = async (metadataLocation: string) =>
      await database.transaction(async (tx) => {
        await lockPlaces(tx, 'shared')
        const key = canonicalLocation(metadataLocation)
        return await tx.selectFrom('entries').select('name').where('metadata_key', '=', key).execute()
      })
    const outcomes = new Set<string>()
    for (let round = 0; round < 30; round++) {
      const { metadataLocation } = await catalog.createTable(['ns'], table('t'))
      const request = { name: `copy${round}`, metadataLocation: metadataLocation!, overwrite: false }
      const registering = Promise.withResolvers<void>()
      const alongside = async () => {
        registering.resolve()
        await sleep(round % 5)
      }
      const registered = replica.registerTable(['ns'], request, { alongside }).then(
        () => 'registered',
        (error: IcebergError) => error.type,
      )
      if (round % 2) await Promise.race([registering.promise, registered])
      await catalog.dropTable(t, { alongside: purge(randomUUID(), 'pending') })
      const seen = await guard(metadataLocation!)
      const outcome = await registered
      outcomes.add(outcome)
      expect(seen).toEqual(outcome === 'registered' ? [{ name: request.name }] : [])
    }
    expect(outcomes).toContain('registered')
    for (const outcome of outcomes) expect(['registered', 'LocationConflictException']).toContain(outcome)
  })
})
