import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keptReceipt, type Receipt, type Task } from '../../src/purge/purgers/kafka/messages.ts'
import { SqlAsyncPurger } from '../../src/purge/purgers/sql-async/sql-async-purger.ts'
import type { DeleteOutcome, FileIO } from '../../src/storage/file-io.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { toolchain } from '../interop/toolchain.ts'
import { Cluster } from './cluster.ts'
import { KafkaFixture } from './fixture.ts'

const jars = toolchain('MOULIN_TEST_KAFKA', 'kafka')

/** Two manifests a snapshot, in tasks of about one each. */
const shape = { snapshots: 4, filesPerSnapshot: 30 }
const taskEntries = 40
const nothing = { deleted: 0, absent: 0, kept: 0, blocked: 0, failed: 0, left: 0 }

/** What a consumer may say of a task. */
function receipt(
  { version, purge, generation, task }: Task,
  said: Partial<Omit<Receipt, 'counts'>> & { readonly counts: Partial<Receipt['counts']> },
): Receipt {
  const counts = { ...nothing, ...said.counts }
  return {
    version,
    purge,
    generation,
    task,
    consumer: 'test',
    bytes: 0,
    failures: [],
    error: null,
    ...said,
    counts,
  }
}

describe.skipIf(jars === undefined)('rounds of the purger kafka', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start(jars!)
  })
  afterAll(async () => {
    await cluster?.close()
  })

  /** A dropped table, with what goes over its tasks topic, and a consumer that answers what it is told. */
  const dropped = async (fixture: KafkaFixture, options: Record<string, unknown>, terms = {}) => {
    const table = await fixture.purges.table('t', shape)
    const id = await fixture.purges.drop('t', { purger: 'kafka', ...terms })
    const tasks: Task[] = []
    cluster.listen(options, 'tasks', (task) => void tasks.push(task as Task))
    const publish = cluster.publisher(options, 'results')
    const answer = async (one: Receipt) => {
      await publish(one)
      await expect
        .poll(() => fixture.receipts(id), { timeout: 60_000 })
        .toContain(`${one.generation}/${one.task}`)
    }
    /** The tasks of a generation, once they have come. */
    const generation = async (after = 0) => {
      await fixture.attempt(id)
      const row = await fixture.row(id)
      const { kafka } = JSON.parse(row.checkpoint!) as { kafka: { generation: number; tasks: number[] } }
      expect(kafka.generation).toBeGreaterThan(after)
      const own = () =>
        new Map(tasks.filter((task) => task.generation === kafka.generation).map((task) => [task.task, task]))
      await expect.poll(() => own().size, { timeout: 60_000 }).toBe(kafka.tasks.length)
      return [...own().values()].toSorted((a, b) => a.task - b.task)
    }
    return { table, id, tasks, answer, generation }
  }

  it.each(['kafka', 'another purger'])(
    'no path of a receipt is ever deleted, not by %s either',
    async (whose) => {
      const options = cluster.options({ taskEntries })
      await using fixture = await KafkaFixture.open(options)
      const { purges } = fixture
      const { id, table, answer, generation } = await dropped(fixture, options)
      mkdirSync(`${purges.folder}/main/other`)
      writeFileSync(`${purges.folder}/main/other/precious.csv`, 'x')
      const victim = `${purges.location('other')}/precious.csv`
      const first = await generation()
      for (const task of first) {
        const failures = [victim, table.files.root[0]!].map((path) => ({
          path,
          outcome: 'failed' as const,
          code: 'X',
          message: 'm',
        }))
        await answer(receipt(task, { counts: { failed: 2, left: 5 }, failures }))
      }
      expect((await fixture.attempt(id)).message).toContain('files could not be deleted')
      expect((await purges.ledger.failures(id)).map(({ path }) => path)).toContain(victim)
      if (whose === 'kafka') {
        for (const task of await generation(first[0]!.generation))
          await answer(receipt(task, { counts: { left: 5 } }))
        expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
      } else {
        // The warehouse has another one now, which goes on from the checkpoint.
        const { database } = purges
        await database.transaction(async (tx) => {
          await tx
            .updateTable('purges')
            .set({ reference: null, state: 'pending', next_attempt_at: 0 })
            .where('id', '=', id)
            .execute()
        })
        expect(await purges.run(id, { purger: new SqlAsyncPurger() })).toMatchObject({ state: 'succeeded' })
      }
      expect(await purges.files()).toEqual([victim])
    },
  )

  it('tasks that nobody answers are published again, until that is a failure', async () => {
    const options = cluster.options({ taskEntries: 1_000, taskTimeout: '1s' })
    await using fixture = await KafkaFixture.open(options)
    const { id, tasks } = await dropped(fixture, options, { maxAttempts: 2 })
    const end = await fixture.finished(id)
    expect(end.state).toBe('failed')
    expect(end.message).toMatch(/1 tasks have had no receipt since 2\d{3}-.*published 3 times again/)
    await expect.poll(() => tasks.length, { timeout: 60_000 }).toBe(4)
    expect(new Set(tasks.map(({ generation, task }) => `${generation}/${task}`)).size).toBe(1)
    fixture.work()
    await fixture.purges.ledger.retry(id)
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.purges.files()).toEqual([])
  })

  it('a task that is overdue is published again, without those that have a receipt, and costs no attempt', async () => {
    const options = cluster.options({ taskEntries, taskTimeout: '2s' })
    await using fixture = await KafkaFixture.open(options)
    const { id, tasks, answer, generation } = await dropped(fixture, options, { maxAttempts: 3 })
    const [first, ...others] = await generation()
    for (const task of others)
      await answer(receipt(task, { counts: { deleted: task.manifests[0]!.entries! } }))
    const planned = tasks.length
    await fixture.until(id, () => tasks.length > planned)
    const again = tasks.slice(planned)
    expect(again.map(({ generation, task }) => ({ generation, task }))).toEqual([
      { generation: first!.generation, task: first!.task },
    ])
    expect(Date.parse(again[0]!.until)).toBeGreaterThan(Date.parse(first!.until))
    expect(await fixture.row(id)).toMatchObject({ state: 'handed_off', fruitless: 0, last_error: null })
  })

  it('a store that asks for patience costs no attempt', async () => {
    const options = cluster.options({ taskEntries: 1_000 })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    const { table, id } = await dropped(fixture, options, { maxAttempts: 2 })
    let rounds = 0
    const stubborn = table.files.data[0]!
    fixture.work(
      refusing(purges.io, (path) => path === stubborn && ++rounds <= 4, {
        outcome: 'failed',
        code: 'SlowDown',
        message: 'Please reduce your request rate.',
      }),
    )
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
    expect(rounds).toBe(5)
    const { certificate } = (await purges.ledger.certificate(id))!
    // No attempt of those that were put off, and one for the hand-off or its end.
    expect(certificate.attempts).toBeLessThanOrEqual(2)
  })

  it('a round in which files were erased begins the count of attempts anew, as long as they get further', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { id, answer, generation } = await dropped(fixture, options, { maxAttempts: 2 })
    let last = 0
    const round = async (failedOf: (index: number) => number) => {
      const tasks = await generation(last)
      last = tasks[0]!.generation
      for (const [index, task] of tasks.entries()) {
        const { entries } = task.manifests[0]!
        const failed = failedOf(index)
        await answer(receipt(task, { counts: { deleted: entries! - failed, failed } }))
      }
      return await fixture.attempt(id)
    }
    // Fewer tasks, or fewer files, fail in each of these.
    for (const failed of [5, 4, 3, 2]) {
      expect(await round((index) => (index === 0 ? failed : 0))).toMatchObject({ state: 'pending' })
      expect((await fixture.row(id)).fruitless).toBe(0)
    }
    // Here a store says deleted of what was gone, and nothing is won.
    expect(await round(() => 2)).toMatchObject({ state: 'pending' })
    expect(await round(() => 2)).toMatchObject({ state: 'failed' })
  })

  it('a broker that is away costs no attempt', async () => {
    const options = cluster.options({ taskEntries: 1_000 })
    await using fixture = await KafkaFixture.open(options)
    await fixture.purges.table('t')
    const id = await fixture.purges.drop('t', { purger: 'kafka', maxAttempts: 1 })
    await cluster.broker.kill()
    try {
      for (let attempt = 0; attempt < 2; attempt++) {
        const end = await fixture.attempt(id)
        expect(end.state).toBe('pending')
        expect(end.message).toContain('The task was not published')
        const { fruitless, next_attempt_at, updated_at } = await fixture.row(id)
        expect(fruitless).toBe(0)
        expect(next_attempt_at - updated_at).toBeGreaterThanOrEqual(5_000)
      }
    } finally {
      await cluster.broker.start()
    }
    fixture.work()
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
  })

  it('the certificate says what consumers have deleted, and what was absent before', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    const table = await purges.table('t', shape)
    const gone = table.files.data.slice(0, 7)
    await purges.io.deleteFiles(gone)
    const [stubborn] = table.files.data.slice(-1)
    let isStubborn = true
    fixture.work(
      refusing(purges.io, (path) => isStubborn && path === stubborn, {
        outcome: 'failed',
        code: 'X',
        message: 'no',
      }),
    )
    const id = await purges.drop('t')
    await fixture.until(id, ({ state }) => state === 'pending')
    isStubborn = false
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
    const { certificate } = (await purges.ledger.certificate(id))!
    const all = certificate.paths!.entries
    const deleted = new Set(table.files.data).size - gone.length
    expect(certificate.counts.data).toEqual({ deleted, absent: all - deleted })
    const { deleted: bytes = 0, absent: absentBytes = 0 } = certificate.bytes.data!
    expect(bytes).toBeGreaterThan(0)
    expect(absentBytes).toBeGreaterThan(0)
  })

  it('a receipt that is too long for the ledger is kept without the names of its failures', async () => {
    const options = cluster.options({ taskEntries: 1_000 })
    await using fixture = await KafkaFixture.open(options)
    const { id, answer, generation } = await dropped(fixture, options)
    const [task] = await generation()
    const failures = Array.from({ length: 50 }, (_, index) => ({
      path: `${'目'.repeat(500)}/${index}`,
      outcome: 'blocked' as const,
      code: 'AccessDenied',
      message: 'no',
    }))
    await answer(receipt(task!, { counts: { blocked: 50 }, failures }))
    expect(await fixture.attempt(id)).toMatchObject({ state: 'failed' })
    expect(await fixture.purges.ledger.failures(id)).toEqual([])
  })

  it('receipts of older generations are not looked at', async () => {
    const options = cluster.options({ taskEntries: 1_000 })
    await using fixture = await KafkaFixture.open(options)
    const { id, answer, generation } = await dropped(fixture, options)
    const [first] = await generation()
    await answer(receipt(first!, { counts: { failed: 1 } }))
    expect((await fixture.attempt(id)).state).toBe('pending')
    const [second] = await generation(first!.generation)
    expect(await fixture.attempt(id)).toMatchObject({ state: 'handed_off' })
    // A purge whose messages are not all looked at must not be looked at again and again.
    expect((await fixture.row(id)).next_attempt_at).toBeGreaterThan((await fixture.row(id)).updated_at)
    await answer(receipt(second!, { counts: { left: 1 } }))
    const kept = await fixture.purges.database.reader.selectFrom('purge_messages').select('body').execute()
    expect(kept.every(({ body }) => keptReceipt(JSON.parse(body)))).toBe(true)
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
  })
})

/** Files of which some cannot be deleted, for this reason. */
function refusing(io: FileIO, refuses: (path: string) => boolean, reason: DeleteOutcome): FileIO {
  return forwardFileIO(io, {
    deleteFiles: async (locations, options) => {
      const refused = new Set(locations.filter(refuses))
      const gone = await io.deleteFiles(
        locations.filter((location) => !refused.has(location)),
        options,
      )
      return locations.map((location) => (refused.has(location) ? reason : gone.shift()!))
    },
  })
}
