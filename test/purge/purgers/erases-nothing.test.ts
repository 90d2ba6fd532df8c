import { describe, expect, it } from 'vitest'
import { eraseReach } from '../../../src/purge/erase-reach.ts'
import { createPurger } from '../../../src/purge/factory.ts'
import type { IcebergPurger, PurgeResult } from '../../../src/purge/purger.ts'
import type { Route } from '../../../src/purge/routing.ts'
import { dialects } from '../../../src/testing/databases.ts'
import { PurgeFixture, purgerContext } from '../../../src/testing/purge-fixture.ts'

const erasing: IcebergPurger = {
  name: 'erasing',
  waits: false,
  purge: (purge, run) => eraseReach(purge, run),
}

function auditing(answer: () => PurgeResult): IcebergPurger {
  return { name: 'auditing', waits: false, erases: false, purge: async () => answer() }
}

/** A table at a location that the catalog assigned, with something wrong, whose purge has failed. */
async function failed(
  fixture: PurgeFixture,
  warehouse: { purger: IcebergPurger; routes?: readonly Route[] },
  broken: 'root' | 'manifest',
  properties = {},
): Promise<{ id: string; left: readonly string[] }> {
  const table = await fixture.table('t', { properties })
  await fixture.own('t')
  const path = broken === 'root' ? table.purge.metadataLocation : table.files.manifests[0]!
  await fixture.io.write(path, Buffer.from('garbage'))
  const id = await fixture.drop('t')
  expect(await fixture.run(id, warehouse)).toMatchObject({ state: 'failed' })
  await fixture.ledger.retry(id, { byLocation: true })
  return { id, left: await fixture.files() }
}

describe.each(dialects)('a purger that erases nothing, on %s', (dialect) => {
  const refused = (name: string) => ({
    state: 'failed',
    message: expect.stringContaining(`The purger ${name} erases nothing`) as string,
  })

  it('has nothing erased by location either, and says what to do', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const purger = await createPurger('audit-only', {}, purgerContext(fixture))
    const { id, left } = await failed(fixture, { purger }, 'root')
    const end = await fixture.run(id, { purger })
    expect(end).toMatchObject(refused('audit-only'))
    expect(end.message).toContain('purge.purger')
    expect(await fixture.files()).toEqual(left)
    // What it says helps.
    await fixture.ledger.retry(id, { byLocation: true })
    expect(await fixture.run(id, { purger: erasing })).toMatchObject({ state: 'succeeded' })
    expect((await fixture.ledger.certificate(id))?.certificate.purger).toBe('erasing')
    expect(await fixture.files()).toEqual([])
  })

  it('has nothing erased by location of the tables that a route gives to it', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const route = { when: { property: 'audited' }, purger: auditing(() => ({ kind: 'done' })) }
    const warehouse = { purger: erasing, routes: [route] }
    const audited = await createPurger('audit-only', {}, purgerContext(fixture))
    const own = { purger: erasing, routes: [{ ...route, purger: audited }] }
    const { id, left } = await failed(fixture, own, 'manifest', { audited: 'yes' })
    expect(await fixture.run(id, warehouse)).toMatchObject(refused('auditing'))
    expect(await fixture.files()).toEqual(left)
  })

  it('stands in nobody’s way whose table is not its own, or cannot be told to be', async () => {
    for (const broken of ['root', 'manifest'] as const) {
      await using fixture = await PurgeFixture.open(dialect)
      const route = { when: { property: 'audited' }, purger: auditing(() => ({ kind: 'done' })) }
      const warehouse = { purger: erasing, routes: [route] }
      const { id } = await failed(fixture, warehouse, broken)
      expect(await fixture.run(id, warehouse)).toMatchObject({ state: 'succeeded' })
      expect(await fixture.files()).toEqual([])
    }
  })

  it('has nothing swept after it, whatever it answers and the policy says', async () => {
    const answers: (() => Partial<IcebergPurger> & { purge: IcebergPurger['purge'] })[] = [
      () => ({ purge: async () => ({ kind: 'done', mayBeSwept: true }) }),
      () => ({
        purge: async () => ({ kind: 'handed_off', reference: 'job' }),
        inspect: async () => ({ state: 'finished', mayBeSwept: true }),
      }),
    ]
    for (const answer of answers) {
      await using fixture = await PurgeFixture.open(dialect)
      const table = await fixture.table('t')
      await fixture.own('t')
      const id = await fixture.drop('t')
      const purger = { ...auditing(() => ({ kind: 'done' })), ...answer() }
      const options = { purger, sweep: 'all', versions: 'all' } as const
      while ((await fixture.run(id, options)).state === 'handed_off');
      expect(await fixture.ledger.get(id)).toMatchObject({ state: 'succeeded' })
      expect(await fixture.files()).toEqual(Object.values(table.files).flat().toSorted())
      const { verification } = (await fixture.ledger.certificate(id))!.certificate
      expect(verification).toMatchObject([{ policy: 'reported', erased: 0 }])
    }
  })
})
