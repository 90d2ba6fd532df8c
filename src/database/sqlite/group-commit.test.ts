import { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe, expect, it } from 'vitest'
import { CommitUnknownError } from '../database.ts'
import { GroupCommit } from './group-commit.ts'

let db: DatabaseSync
let commits: GroupCommit
const statements: string[] = []

/** One member, as the driver runs it. */
async function member(value: number, fails = false): Promise<void> {
  await commits.takeTurn()
  await commits.begin()
  db.exec(`INSERT INTO numbers VALUES (${value})`)
  await Promise.resolve()
  await commits.end(!fails)
  if (fails) throw new Error(`no ${value}`)
}

const stored = () =>
  db
    .prepare('SELECT value FROM numbers ORDER BY value')
    .all()
    .map(({ value }) => value)

beforeEach(() => {
  db = new DatabaseSync(':memory:')
  db.exec(`PRAGMA foreign_keys=ON; CREATE TABLE numbers (value integer PRIMARY KEY);
    CREATE TABLE children (parent integer REFERENCES numbers (value) DEFERRABLE INITIALLY DEFERRED)`)
  statements.length = 0
  const exec = db.exec.bind(db)
  db.exec = (sql) => {
    statements.push(sql)
    exec(sql)
  }
  commits = new GroupCommit(db, 1000)
})

describe('GroupCommit', () => {
  it('commits what queues together in one COMMIT', async () => {
    await Promise.all([1, 2, 3, 4, 5].map((value) => member(value)))
    expect(stored()).toEqual([1, 2, 3, 4, 5])
    expect(statements.filter((sql) => sql === 'COMMIT')).toHaveLength(1)
    expect(statements.filter((sql) => sql === 'BEGIN IMMEDIATE')).toHaveLength(1)
  })

  it('begins another group after 64 members', async () => {
    await Promise.all(Array.from({ length: 130 }, (_, value) => member(value)))
    expect(stored()).toHaveLength(130)
    expect(statements.filter((sql) => sql === 'COMMIT')).toHaveLength(3)
  })

  it('takes back only the member that fails', async () => {
    const results = await Promise.allSettled([member(1), member(2, true), member(3), member(4, true)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
    expect(stored()).toEqual([1, 3])
  })

  it('tells nobody success before the COMMIT, and everybody when it fails', async () => {
    const dangling = async () => {
      await commits.takeTurn()
      await commits.begin()
      db.exec('INSERT INTO children VALUES (99)')
      await commits.end(true)
    }
    const results = await Promise.allSettled([member(1), dangling(), member(2, true)])
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(CommitUnknownError) })
    }
    expect(stored()).toEqual([])
    await member(3)
    expect(stored()).toEqual([3])
  })

  it('fails the whole group when SQLite has rolled it back by itself', async () => {
    const lost = async () => {
      await commits.takeTurn()
      await commits.begin()
      db.exec('ROLLBACK') // what SQLite does on a full disk
      await commits.end(false)
    }
    const results = await Promise.allSettled([member(1), lost()])
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { type: 'ServiceUnavailableException' } })
    }
    await member(2)
    expect(stored()).toEqual([2])
  })
})
