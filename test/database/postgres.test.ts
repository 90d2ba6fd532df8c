import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { sql } from 'kysely'
import { expect, it, vi } from 'vitest'
import { CommitUnknownError, type Transaction } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open.ts'
import { createDatabase } from '../../src/testing/databases.ts'

const insert = (tx: Transaction, path: string) =>
  tx
    .insertInto('namespaces')
    .values({ id: path, warehouse: 'w', path, parent_id: null, properties: '{}', created_at: 0 })
    .execute()

/** A TCP proxy that cuts the connection when COMMIT passes: before the server sees it, or before its answer. */
async function cuttingProxy(target: URL, when: 'before' | 'after') {
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let cut = false
    const stop = () => {
      client.destroy()
      upstream.destroy()
    }
    client.on('error', stop).on('close', stop)
    upstream.on('error', stop).on('close', stop)
    client.on('data', (data) => {
      const commits = data.includes('commit')
      if (commits && when === 'before') return stop()
      cut ||= commits
      upstream.write(data)
    })
    upstream.on('data', (data) => (cut ? stop() : client.write(data)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.port = String((server.address() as { port: number }).port)
  return { url: url.href, close: () => new Promise((resolve) => server.close(resolve)) }
}

it.each([
  { when: 'before', committed: 0 },
  { when: 'after', committed: 1 },
] as const)(
  'a connection that breaks $when COMMIT arrives leaves its outcome unknown',
  async ({ when, committed }) => {
    await using test = await createDatabase('postgres')
    const proxy = await cuttingProxy(new URL(test.url), when)
    const database = await openDatabase(proxy.url)
    await expect(database.transaction((tx) => insert(tx, 'a'))).rejects.toBeInstanceOf(CommitUnknownError)
    await database.close()
    await proxy.close()
    expect(await test.database.reader.selectFrom('namespaces').select('id').execute()).toHaveLength(committed)
  },
)

it('a connection that breaks before COMMIT is a 503, and the pool goes on', async () => {
  await using test = await createDatabase('postgres')
  const work = test.database.transaction(async (tx) => {
    const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(tx)
    await sql`SELECT pg_terminate_backend(${rows[0]!.pid})`.execute(test.database.reader)
    await insert(tx, 'a')
  })
  await expect(work).rejects.toMatchObject({ type: 'ServiceUnavailableException' })
  await test.database.transaction((tx) => insert(tx, 'b'))
  expect(await test.database.reader.selectFrom('namespaces').select('id').execute()).toEqual([{ id: 'b' }])
})

it('a deadlock is repeated until both have committed', async () => {
  await using test = await createDatabase('postgres')
  await test.database.transaction(async (tx) => {
    await insert(tx, 'a')
    await insert(tx, 'b')
  })
  const bump = (tx: Transaction, id: string) =>
    tx
      .updateTable('namespaces')
      .set((row) => ({ created_at: row('created_at', '+', 1) }))
      .where('id', '=', id)
      .execute()
  let attempts = 0
  const gate = Promise.withResolvers<void>()
  const both = async (first: string, second: string) =>
    await test.database.transaction(async (tx) => {
      attempts++
      await bump(tx, first)
      if (attempts === 2) gate.resolve()
      await gate.promise
      await bump(tx, second)
    })
  await Promise.all([both('a', 'b'), both('b', 'a')])
  expect(attempts).toBeGreaterThan(2)
  const rows = await test.database.reader.selectFrom('namespaces').select('created_at').execute()
  expect(rows).toEqual([{ created_at: 2 }, { created_at: 2 }])
})

it('an error swallowed inside the work cannot pass for a commit', async () => {
  await using test = await createDatabase('postgres')
  const work = test.database.transaction(async (tx) => {
    await insert(tx, 'a')
    await insert(tx, 'a').catch(() => undefined)
  })
  await expect(work).rejects.toThrow(/rolled back/)
  expect(await test.database.reader.selectFrom('namespaces').select('id').execute()).toEqual([])
})

it.each(['wrong password', 'nobody there'])('%s: no secret in the error', async (reason) => {
  await using test = await createDatabase('postgres')
  const url = new URL(test.url)
  url.password = 'hunter2'
  if (reason === 'nobody there') url.port = '1'
  const database = await openDatabase(url.href, { busyTimeout: 2000 })
  const error = await database.ping().catch((error: unknown) => error)
  expect(error).toBeInstanceOf(Error)
  expect(
    `${error} ${JSON.stringify(error)} ${(error as Error).stack} ${(error as Error).cause}`,
  ).not.toContain('hunter2')
  await database.close()
})

it('announcements reach another server, many at a time as few, also after its connection broke', async () => {
  await using test = await createDatabase('postgres')
  const other = await openDatabase(test.url)
  let heard = 0
  const unlisten = await other.listen(() => void heard++)
  try {
    await Promise.all(Array.from({ length: 100 }, () => test.database.announce()))
    await vi.waitFor(() => expect(heard).toBeGreaterThan(0))
    expect(heard).toBeLessThan(10)

    const before = heard
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'moulin-listen' AND datname = current_database()`.execute(test.database.reader)
    // It has come back, and says that it may have missed something.
    await vi.waitFor(() => expect(heard).toBe(before + 1), 10_000)
    await test.database.announce()
    await vi.waitFor(() => expect(heard).toBe(before + 2))
  } finally {
    await unlisten()
    await other.close()
  }
})
