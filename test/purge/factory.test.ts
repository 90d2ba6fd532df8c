import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPurger } from '../../src/purge/factory.ts'
import { openPurgers } from '../../src/server/purgers.ts'

const context = {
  warehouse: { name: 'main', location: 's3://lake/main' },
  logger: pino({ level: 'silent' }),
  serverIdentity: 'test:1',
  works: true,
  deliver: async () => false,
}

describe('naming a purger', () => {
  let folder: string
  const module = (name: string, source: string) => {
    const file = join(folder, name)
    writeFileSync(file, source)
    return file
  }
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'moulin-purgers-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('by alias gives the built-in one', async () => {
    expect(await createPurger('synchronous', {}, context)).toMatchObject({ name: 'synchronous', waits: true })
  })

  it("by a module's specifier calls its default export with the options and the context", async () => {
    const file = module(
      'good.mjs',
      `export default (options, { serverIdentity }) =>
        ({ name: options.name + '@' + serverIdentity, waits: false, purge: async () => ({ kind: 'done' }) })`,
    )
    const purger = await createPurger(file, { name: 'acme' }, context)
    expect(purger).toMatchObject({ name: 'acme@test:1', waits: false })
  })

  it.each([
    ['an unknown name', () => 'syncronous', /not a built-in one \(synchronous/],
    [
      'a module without a factory',
      () => module('none.mjs', 'export const x = 1'),
      /default export must be a factory/,
    ],
    [
      'a factory that throws',
      () => module('throws.mjs', "export default () => { throw new Error('no topic') }"),
      /refused its options: no topic/,
    ],
    ['a factory of nothing', () => module('nothing.mjs', 'export default () => null'), /gave no object/],
    [
      'a purger without a name',
      () => module('nameless.mjs', 'export default () => ({ waits: true, purge() {} })'),
      /name is missing/,
    ],
    [
      'a purger without purge',
      () => module('idle.mjs', "export default () => ({ name: 'x', waits: true })"),
      /no method purge/,
    ],
    [
      'a purger that does not know whether it erases',
      () =>
        module('unsure.mjs', "export default () => ({ name: 'x', waits: true, erases: 'no', purge() {} })"),
      /erases must be true or false/,
    ],
    ['a module that cannot be parsed', () => module('broken.mjs', 'export default ('), /cannot be imported/],
  ])('%s is refused with what to change', async (_what, name, message) => {
    await expect(createPurger(name(), {}, context)).rejects.toThrow(message)
  })
  it.each(['synchronous', 'sql-async', 'jdbc-async'])('%s has no options', async (name) => {
    await expect(createPurger(name, { batchSize: 1 }, context)).rejects.toThrow(
      `The purger "${name}" refused its options: batchSize is not an option; this purger has none`,
    )
  })

  it('is refused with its key, its warehouse, and the name that was meant', async () => {
    const open = (purger: string, options = {}, routes: Parameters<typeof openPurgers>[0]['routes'] = []) =>
      openPurgers({ purger, options, routes }, context)
    await expect(open('sql-asinc')).rejects.toThrow(
      /^purge\.purger of the warehouse main: There is no purger "sql-asinc".* Did you mean "sql-async"\?$/,
    )
    await expect(open('nothing-like-it')).rejects.toThrow(
      /cannot be imported as a module: Cannot find [^/]*$/,
    )
    await expect(open('sql-async', { a: 1 })).rejects.toThrow(
      /^purge\.options of the warehouse main: .*a is not/,
    )
    const route = { when: { minFiles: 1, property: undefined, value: undefined }, options: {} }
    await expect(open('sql-async', {}, [{ ...route, purger: 'kafak' }])).rejects.toThrow(
      /^purge\.routes\.0\.purger of the warehouse main: .*"kafka"\?$/,
    )
    await expect(open('sql-async', {}, [{ ...route, purger: 'kafka' }])).rejects.toThrow(
      /^purge\.routes\.0\.options of the warehouse main: .*brokers is missing/,
    )
  })

  it('closes those that were made when a later one is refused', async () => {
    const file = module(
      'closed.mjs',
      "export default (options) => ({ name: 'closed', waits: false, purge() {}, close: async () => options.closed() })",
    )
    let closed = 0
    const route = { when: { minFiles: 1, property: undefined, value: undefined }, purger: 'no', options: {} }
    const options = { closed: () => closed++ }
    await expect(openPurgers({ purger: file, options, routes: [route] }, context)).rejects.toThrow('no')
    expect(closed).toBe(1)
  })
})
