import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SweepPolicy } from '../../src/purge/sweep.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { watchDeletes } from '../../src/testing/watched-file-io.ts'

const all = (files: Readonly<Record<string, readonly string[]>>) => Object.values(files).flat()

/** A table with a file that it does not name, at a location that the catalog did or did not assign. */
async function tableWithStray(fixture: PurgeFixture, owned: boolean, properties = {}) {
  const table = await fixture.table('t', { properties })
  const stray = `${fixture.location('t')}/data/late-commit.parquet`
  await fixture.io.write(stray, Buffer.from('late'))
  if (owned) await fixture.own('t')
  return { table, stray }
}

async function verification(fixture: PurgeFixture, id: string) {
  return (await fixture.ledger.certificate(id))?.certificate.verification
}

describe.each(dialects)('the sweep on %s', (dialect) => {
  it('erases what is left at a location that the catalog assigned', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const neighbour = await fixture.table('t2')
    await tableWithStray(fixture, true)
    const id = await fixture.drop('t')
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual(all(neighbour.files).toSorted())
    expect((await fixture.ledger.get(id))?.counts.sweep).toEqual({ deleted: 1 })
    expect(await verification(fixture, id)).toMatchObject([
      { owned: true, policy: 'erased', found: 1, erased: 1, left: 0, complete: true },
    ])
  })

  it.each<[SweepPolicy, boolean, boolean]>([
    ['owned', false, false],
    ['all', false, true],
    ['report', true, false],
    ['report', false, false],
  ])('with policy %s, owned %s: erases the stray file: %s', async (sweep, owned, erased) => {
    await using fixture = await PurgeFixture.open(dialect)
    const { stray } = await tableWithStray(fixture, owned)
    const id = await fixture.drop('t')
    expect(await fixture.run(id, { sweep })).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual(erased ? [] : [stray])
    expect(await verification(fixture, id)).toMatchObject([
      erased ? { policy: 'erased', left: 0 } : { policy: 'reported', left: 1, examples: [stray] },
    ])
  })

  it('fails, after its attempts, where a store says of files that they are deleted and has them still', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { stray } = await tableWithStray(fixture, true)
    const id = await fixture.drop('t', { maxAttempts: 3 })
    const io = forwardFileIO(fixture.io, {
      deleteFiles: async (locations, options) => {
        if (locations.includes(stray)) return locations.map(() => ({ outcome: 'deleted' as const }))
        return await fixture.io.deleteFiles(locations, options)
      },
    })
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(await fixture.run(id, { io, backoff: { base: 1, max: 1 } })).toMatchObject({
        state: attempt < 3 ? 'pending' : 'failed',
        message: expect.stringContaining('still listed'),
      })
    }
    expect(await fixture.ledger.get(id)).toMatchObject({ attempts: 3 })
  })

  it('leaves the data of a table with gc.enabled=false, at its own location, too', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { table, stray } = await tableWithStray(fixture, true, { 'gc.enabled': 'false' })
    const id = await fixture.drop('t')
    expect(await fixture.run(id, { sweep: 'all' })).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([...table.files.data, stray].toSorted())
  })

  it.each(['inside', 'the same', 'around'])('sweeps nothing when another table lies %s', async (where) => {
    await using fixture = await PurgeFixture.open(dialect)
    const { stray } = await tableWithStray(fixture, true)
    const place = { inside: 't/nested', 'the same': 'elsewhere', around: '' }[where]!
    const other = await fixture.tableAt('other', place)
    if (where === 'the same') await fixture.place('other', fixture.location('t'))
    const id = await fixture.drop('t')
    expect(await fixture.run(id, { sweep: 'all' })).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([...all(other.files), stray].toSorted())
    expect(await verification(fixture, id)).toMatchObject([{ policy: 'overlapped' }])
  })

  it('leaves the empty folders of a table that lies inside', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await tableWithStray(fixture, true)
    await fixture.tableAt('inner', 't/inner')
    const mine = join(fixture.folder, 'main/t/inner/data/new-partition')
    mkdirSync(mine)
    expect(await fixture.run(await fixture.drop('t'))).toMatchObject({ state: 'succeeded' })
    expect(existsSync(mine)).toBe(true)
  })

  it('counts what an earlier attempt has swept', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await tableWithStray(fixture, true)
    for (let n = 0; n < 4; n++)
      await fixture.io.write(`${fixture.location('t')}/data/late-${n}`, Buffer.from('x'))
    const id = await fixture.drop('t')
    const stubborn = `${fixture.location('t')}/data/late-2`
    const io = watchDeletes(fixture.io, (path) =>
      path === stubborn ? { outcome: 'failed', code: 'InternalError', message: 'no' } : undefined,
    )
    expect(await fixture.run(id, { io })).toMatchObject({ state: 'failed' })
    await fixture.ledger.retry(id)
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect((await fixture.ledger.get(id))?.counts.sweep).toEqual({ deleted: 5 })
    expect(await verification(fixture, id)).toMatchObject([
      { policy: 'erased', found: 5, erased: 5, left: 0 },
    ])
  })

  it('does not call it success while files are left that it should erase', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const { stray } = await tableWithStray(fixture, true)
    const id = await fixture.drop('t')
    const stubborn = watchDeletes(fixture.io, (path) => (path === stray ? { outcome: 'deleted' } : undefined))
    expect(await fixture.run(id, { io: stubborn })).toMatchObject({
      state: 'failed',
      message: expect.stringContaining(stray),
    })
    expect(await fixture.ledger.certificate(id)).toBeUndefined()
    await fixture.ledger.retry(id)
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })
})
