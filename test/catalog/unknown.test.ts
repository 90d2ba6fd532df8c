import { existsSync, readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { CommitUnknownError, type Database } from '../../src/database/database.ts'
import { forEachDatabase } from '../../src/testing/databases.ts'
import { openCatalog, path, setProperties, table } from './fixture.ts'

const t = { namespace: ['ns'], name: 't' }
const unknown = { type: 'CommitStateUnknownException', status: 500 }

/**
 * The database, but every answer to COMMIT is lost: before it had an effect, or after. (test/database/postgres.test.ts
 * shows with a real cut connection that this is what a database throws then.)
 */
function losingAnswers(database: Database, committed: boolean): Database {
  return new Proxy(database, {
    get(target, key) {
      if (key !== 'transaction') {
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      }
      const transaction: Database['transaction'] = async (work) => {
        await target.transaction(async (tx) => {
          await work(tx)
          if (!committed) throw new CommitUnknownError('lost')
        })
        throw new CommitUnknownError('lost')
      }
      return transaction
    },
  })
}

forEachDatabase((dialect) => {
  it.each([true, false])(
    `${dialect}: an unknown commit (landed: %s) is a 500, and its file stays`,
    async (committed) => {
      await using test = await openCatalog(dialect)
      await test.catalog.createNamespace(['ns'], {})
      const before = await test.catalog.createTable(['ns'], table('t'))
      const catalog = await test.replica({ database: losingAnswers(test.database, committed) })
      await expect(catalog.commitTable(t, setProperties({ a: 'b' }))).rejects.toMatchObject(unknown)
      await expect(catalog.createTable(['ns'], table('u'))).rejects.toMatchObject(unknown)
      await expect(catalog.renameTable(t, { namespace: ['ns'], name: 'v' })).rejects.toMatchObject(unknown)
      const files = readdirSync(test.folder, { recursive: true }).filter((name) =>
        String(name).endsWith('.json'),
      )
      expect(files).toHaveLength(3)
      const now = await test.catalog.loadTable(committed ? { namespace: ['ns'], name: 'v' } : t)
      expect(now.metadataLocation === before.metadataLocation).toBe(!committed)
      expect(existsSync(path(now.metadataLocation!))).toBe(true)
      expect(await test.catalog.tableExists({ namespace: ['ns'], name: 'u' })).toBe(committed)
    },
  )
})
