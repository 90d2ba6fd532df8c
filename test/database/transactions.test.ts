import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { expect, it } from 'vitest'
import type { Database, Transaction } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open.ts'
import { forEachDatabase } from '../../src/testing/databases.ts'
import { increment } from './increment.ts'

const insert = (tx: Transaction, path: string) =>
  tx
    .insertInto('namespaces')
    .values({ id: path, warehouse: 'w', path, parent_id: null, properties: '{}', created_at: 0 })
    .execute()

const paths = async (database: Database) =>
  (await database.reader.selectFrom('namespaces').select('path').orderBy('path').execute()).map(
    ({ path }) => path,
  )

forEachDatabase((dialect, create) => {
  it(`${dialect}: what has resolved is committed, what throws leaves nothing and passes its error on`, async () => {
    await using test = await create()
    const replica = await test.another()
    const failure = new Error('no')
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, async (_, index) => {
        const path = String(index).padStart(3, '0')
        await test.database.transaction(async (tx) => {
          await insert(tx, path)
          if (index % 3 === 0) throw failure
        })
        expect(await paths(replica)).toContain(path)
      }),
    )
    for (const [index, result] of results.entries()) {
      if (index % 3 === 0) expect(result).toEqual({ status: 'rejected', reason: failure })
      else expect(result.status).toBe('fulfilled')
    }
    expect(await paths(replica)).toHaveLength(66)
  })

  it(`${dialect}: a statement that fails rolls everything back`, async () => {
    await using test = await create()
    const work = test.database.transaction(async (tx) => {
      await insert(tx, 'a')
      await insert(tx, 'a')
    })
    await expect(work).rejects.toThrow(/unique/i)
    expect(await paths(test.database)).toEqual([])
  })

  it(`${dialect}: big integers come back as numbers, and the clock is in milliseconds`, async () => {
    await using test = await create()
    const time = Number.MAX_SAFE_INTEGER
    await test.database.transaction((tx) =>
      tx
        .insertInto('namespaces')
        .values({ id: 'n', warehouse: 'w', path: 'p', parent_id: null, properties: '{}', created_at: time })
        .execute(),
    )
    const row = await test.database.reader.selectFrom('namespaces').select('created_at').executeTakeFirst()
    expect(row).toEqual({ created_at: time })
    expect(Math.abs((await test.database.now(test.database.reader)) - Date.now())).toBeLessThan(60_000)
  })

  it(`${dialect}: names are ordered by their bytes`, async () => {
    await using test = await create()
    const names = ['b', 'B', 'a', 'é', 'z', '日本', '😀', '\uffee', '_', '0']
    await test.database.transaction(async (tx) => {
      for (const name of names) await insert(tx, name)
    })
    const expected = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(await paths(test.database)).toEqual(expected)
  })

  it(`${dialect}: processes that write at the same time lose nothing`, async () => {
    await using test = await create()
    await test.database.transaction((tx) => insert(tx, 'counter'))
    const program = fileURLToPath(new URL('./increment.ts', import.meta.url))
    const children = Array.from({ length: 3 }, () =>
      spawn(process.execPath, [program, test.url, '100'], { stdio: ['ignore', 'ignore', 'inherit'] }),
    )
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
    expect(codes).toEqual([0, 0, 0])
    await increment(test.database, 50)
    const row = await test.database.reader.selectFrom('namespaces').select('created_at').executeTakeFirst()
    expect(row).toEqual({ created_at: 350 })
  })
})

it('sqlite: waits for another process without blocking the thread, and gives up in the end', async () => {
  const { createDatabase } = await import('../../src/testing/databases.ts')
  await using test = await createDatabase('sqlite')
  const file = test.url.slice('sqlite:'.length)
  const other = new DatabaseSync(file)
  other.exec('BEGIN IMMEDIATE')
  const impatient = await openDatabase(test.url, { busyTimeout: 20 })
  await expect(impatient.transaction((tx) => insert(tx, 'a'))).rejects.toMatchObject({
    type: 'ServiceUnavailableException',
    status: 503,
  })
  await impatient.close()
  const waiting = test.database.transaction((tx) => insert(tx, 'b'))
  // Were the thread blocked, this timer would never release the file.
  setTimeout(() => other.exec('COMMIT'), 50)
  await waiting
  other.close()
  expect(await paths(test.database)).toEqual(['b'])
})

it('sqlite: every connection is durable and checks references', async () => {
  const { createDatabase } = await import('../../src/testing/databases.ts')
  await using test = await createDatabase('sqlite')
  await test.database.transaction(async (tx) => {
    const { rows } = await sql`SELECT
      (SELECT journal_mode FROM pragma_journal_mode) AS journal,
      (SELECT synchronous FROM pragma_synchronous) AS synchronous,
      (SELECT foreign_keys FROM pragma_foreign_keys) AS foreign_keys`.execute(tx)
    expect(rows).toMatchObject([{ journal: 'wal', synchronous: 2, foreign_keys: 1 }])
  })
  await expect(sql`DELETE FROM entries`.execute(test.database.reader)).rejects.toThrow(/readonly/)
})
