import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { eraseReach } from '../../src/purge/erase-reach.ts'
import { createPurgers } from '../../src/purge/factory.ts'
import type { IcebergPurger } from '../../src/purge/purger.ts'
import type { Route } from '../../src/purge/routing.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture, purgerContext } from '../../src/testing/purge-fixture.ts'

function erasing(name: string): IcebergPurger {
  return { name, waits: false, purge: (purge, run) => eraseReach(purge, run) }
}

describe.each(dialects)('routing on %s', (dialect) => {
  const routes: Route[] = [
    { when: { property: 'engine', value: 'batch' }, purger: erasing('batch') },
    { when: { property: 'audited', minFiles: 20 }, purger: erasing('audited') },
    { when: { minFiles: 100 }, purger: erasing('large') },
  ]
  const warehouse = { purger: erasing('small'), routes }

  it.each([
    ['small', {}, 10],
    ['large', {}, 60],
    ['batch', { engine: 'batch' }, 60],
    ['small', { engine: 'other' }, 10],
    ['audited', { audited: '' }, 15],
    ['small', { audited: '' }, 5],
  ] as const)(
    '%s has tables with %o and %i files a snapshot',
    async (chosen, properties, filesPerSnapshot) => {
      await using fixture = await PurgeFixture.open(dialect)
      await fixture.table('t', { properties, snapshots: 2, filesPerSnapshot })
      const id = await fixture.drop('t')
      expect(await fixture.run(id, warehouse)).toMatchObject({ state: 'succeeded' })
      expect((await fixture.ledger.certificate(id))?.certificate.purger).toBe(chosen)
    },
  )

  it.each([
    ['large', 60],
    ['small', 45],
  ])(
    '%s has tables whose root names %i manifests itself, and nothing counts their entries',
    async (chosen, snapshots) => {
      await using fixture = await PurgeFixture.open(dialect)
      await fixture.table('t', { formatVersion: 1, embedManifests: true, snapshots, filesPerSnapshot: 2 })
      const id = await fixture.drop('t')
      expect(await fixture.run(id, warehouse)).toMatchObject({ state: 'succeeded' })
      expect((await fixture.ledger.certificate(id))?.certificate.purger).toBe(chosen)
    },
  )

  it('is decided when the work begins, and once: whoever has begun it goes on with it', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t', { properties: { engine: 'batch' } })
    const id = await fixture.drop('t')
    const reached: string[] = []
    const elsewhere: IcebergPurger = {
      name: 'batch',
      waits: false,
      purge: async () => ({ kind: 'handed_off', reference: 'job' }),
      inspect: async (purge, reference, run) => {
        reached.push(reference)
        await eraseReach(purge, run)
        return { state: 'finished', mayBeSwept: true }
      },
    }
    const route = { when: { property: 'engine' }, purger: elsewhere }
    await fixture.run(id, { purger: erasing('small'), routes: [route] })
    expect(await fixture.ledger.get(id)).toMatchObject({ state: 'handed_off', purger: 'batch' })

    // The configuration has changed meanwhile: the job is nobody else's.
    expect(await fixture.run(id, { purger: erasing('small') })).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('The purger batch has handed this purge off, and is not configured'),
    })
    await fixture.ledger.retry(id)
    const moved = { when: { property: 'another' }, purger: elsewhere }
    expect(await fixture.run(id, { purger: erasing('small'), routes: [moved] })).toMatchObject({
      state: 'succeeded',
    })
    expect(reached).toEqual(['job'])
  })

  it('refuses what it could not keep to', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const context = purgerContext(fixture)
    const module = join(fixture.folder, 'purger.mjs')
    writeFileSync(
      module,
      "export default (options) => ({ name: 'theirs', waits: options.waits === true, purge: async () => ({ kind: 'done' }) })",
    )
    const theirs = (options: Record<string, unknown> = {}) => ({
      when: { minFiles: 5 },
      purger: pathToFileURL(module).href,
      options,
    })
    const settings = { purger: 'sql-async', options: {}, routes: [theirs()] }
    expect((await createPurgers(settings, context)).routes).toMatchObject([{ when: { minFiles: 5 } }])
    await expect(createPurgers({ ...settings, purger: 'synchronous' }, context)).rejects.toThrow(
      'DELETE does not wait',
    )
    await expect(createPurgers({ ...settings, routes: [theirs({ waits: true })] }, context)).rejects.toThrow(
      'DELETE does not wait',
    )
    await expect(createPurgers({ ...settings, routes: [theirs(), theirs()] }, context)).rejects.toThrow(
      'named twice',
    )
  })
})
