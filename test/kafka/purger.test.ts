import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Receipt, Task } from '../../src/purge/purgers/kafka/messages.ts'
import { kafkaOptions } from '../../src/purge/purgers/kafka/options.ts'
import type { DeleteOutcome, FileIO } from '../../src/storage/file-io.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { toolchain } from '../interop/toolchain.ts'
import { Cluster } from './cluster.ts'
import { KafkaFixture } from './fixture.ts'

const jars = toolchain('MOULIN_TEST_KAFKA', 'kafka')

/** Two manifests a snapshot, in tasks of about one each. */
const shape = { snapshots: 4, filesPerSnapshot: 30 }
const taskEntries = 40

/** The receipt of a consumer that says all is well. */
const liar = ({ version, purge, generation, task, manifests }: Task): Receipt => ({
  version,
  purge,
  generation,
  task,
  consumer: 'liar',
  counts: {
    deleted: manifests.reduce((sum, { entries }) => sum + (entries ?? 0), 0),
    absent: 0,
    kept: 0,
    blocked: 0,
    failed: 0,
    left: 0,
  },
  bytes: 0,
  failures: [],
  error: null,
})

describe.skipIf(jars === undefined)('the purger kafka', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start(jars!)
  })
  afterAll(async () => {
    await cluster?.close()
  })

  it.each([1, 2, 3] as const)(
    'erases a v%i table by way of its consumers, and nothing else',
    async (formatVersion) => {
      await using fixture = await KafkaFixture.open(cluster.options({ taskEntries }))
      const { purges } = fixture
      const neighbour = await purges.table('neighbour')
      const borrowed = neighbour.files.data.slice(0, 2)
      await purges.table('t', { ...shape, formatVersion, borrowed })
      await purges.own('t')
      const id = await purges.drop('t')
      fixture.work()
      fixture.work()
      expect(await fixture.attempt(id)).toMatchObject({ state: 'handed_off' })
      expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
      expect(await purges.files()).toEqual(Object.values(neighbour.files).flat().toSorted())
      const { certificate } = (await purges.ledger.certificate(id))!
      const { deleted = 0, kept = 0 } = certificate.counts.data ?? {}
      expect(deleted + kept).toBe(certificate.paths?.entries)
      expect(kept).toBeGreaterThan(0)
      expect(await fixture.receipts(id)).toEqual([])
    },
  )

  it.each(['false', 'true'])('hands off only what is the table’s own: gc.enabled=%s', async (enabled) => {
    await using fixture = await KafkaFixture.open(cluster.options({ taskEntries }))
    const { purges } = fixture
    const table = await purges.table('t', { properties: { 'gc.enabled': enabled } })
    const id = await purges.drop('t')
    if (enabled === 'false') {
      expect(await fixture.attempt(id)).toMatchObject({ state: 'succeeded' })
      expect(await purges.files()).toEqual(table.files.data.toSorted())
    } else {
      expect(await fixture.attempt(id)).toMatchObject({ state: 'handed_off' })
    }
  })

  it('tells consumers which places of others the table encloses', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    await purges.table('inner')
    await purges.tableAt('outer', 'outer', shape)
    await purges.place('inner', `${purges.location('outer')}/inner`)
    const heard = new Promise<Task>((resolve) => {
      cluster.listen(options, 'tasks', (task) => resolve(task as Task))
    })
    await fixture.attempt(await purges.drop('outer'))
    expect(await heard).toMatchObject({
      locations: [purges.location('outer')],
      keep: [`${purges.location('outer')}/inner`],
    })
  })

  it('publishes the same tasks again after a crash before the hand-off', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    await purges.table('t', shape)
    const id = await purges.drop('t')
    const heard: Task[] = []
    cluster.listen(options, 'tasks', (task) => void heard.push(task as Task))
    const crash = {
      name: 'kafka',
      waits: false,
      purge: async (...args: Parameters<typeof fixture.purger.purge>) => {
        await fixture.purger.purge(...args)
        throw new Error('the crash')
      },
    }
    expect(await purges.run(id, { purger: crash, backoff: { base: 1, max: 1 } })).toMatchObject({
      state: 'pending',
    })
    fixture.work()
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
    const names = heard.map(({ generation, task }) => `${generation}/${task}`)
    expect(new Set(names).size).toBeGreaterThan(1)
    expect(names.length).toBe(2 * new Set(names).size)
    expect(await purges.files()).toEqual([])
  })

  it('believes no consumer: files that are there are given to a new generation', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    const table = await purges.table('t', shape)
    const id = await purges.drop('t')
    const answer = cluster.publisher(options, 'results')
    const generations = new Set<number>()
    cluster.listen(options, 'tasks', async (message) => {
      const task = message as Task
      generations.add(task.generation)
      if (generations.size === 1) await answer(liar(task))
    })
    const doubted = await fixture.until(id, ({ state }) => state === 'pending')
    expect(doubted.message).toContain('are still there')
    expect(await purges.files()).toEqual(Object.values(table.files).flat().toSorted())
    fixture.work()
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
    expect(await purges.files()).toEqual([])
    expect(generations.size).toBe(2)
  })

  it('takes no receipt of another generation, of no task, or twice', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    await purges.table('t', shape)
    const id = await purges.drop('t')
    await fixture.attempt(id)
    const answer = cluster.publisher(options, 'results')
    const tasks: Task[] = []
    cluster.listen(options, 'tasks', (task) => void tasks.push(task as Task))
    await expect.poll(() => tasks.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(4)
    for (const task of tasks) {
      await answer(liar({ ...task, generation: task.generation - 1 }))
      await answer(liar({ ...task, generation: task.generation + 1 }))
    }
    await answer(liar({ ...tasks[0]!, task: 1_000 }))
    await answer({ version: 1, purge: id })
    // The first counts: a failure is not undone by whoever says otherwise later.
    const failed = { ...liar(tasks[0]!), error: { code: 'X', message: 'the first word', permanent: false } }
    await answer(failed)
    await expect
      .poll(() => fixture.receipts(id), { timeout: 60_000 })
      .toContain(`${failed.generation}/${failed.task}`)
    await answer(liar(tasks[0]!))
    await expect
      .poll(() => fixture.receipts(id), { timeout: 60_000 })
      .toEqual([`${failed.generation}/${failed.task}`])
    expect(await fixture.attempt(id)).toMatchObject({ state: 'handed_off' })
    for (const task of tasks.toReversed()) await answer(liar(task))
    const end = await fixture.until(id, ({ state }) => state === 'pending')
    expect(end.message).toContain('the first word')
  })

  it('gives every partition its share of the tasks', async () => {
    const options = cluster.options({ taskEntries: 10 })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    await purges.table('t', { snapshots: 12, filesPerSnapshot: 10 })
    const id = await purges.drop('t')
    expect(await fixture.attempt(id)).toMatchObject({ state: 'handed_off' })
    const sizes = await cluster.sizes(kafkaOptions(options).topics.tasks)
    expect(sizes.reduce((sum, size) => sum + size)).toBeGreaterThanOrEqual(12)
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
  })

  it('names what could not be erased, and has only that tried again', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    const table = await purges.table('t', shape)
    const stubborn = table.files.data[0]!
    let isStubborn = true
    const heard: Task[] = []
    cluster.listen(options, 'tasks', (task) => void heard.push(task as Task))
    fixture.work(failing(purges.io, (path) => isStubborn && path === stubborn))
    const id = await purges.drop('t')
    const end = await fixture.until(id, ({ state }) => state === 'pending')
    expect(end.message).toContain(stubborn)
    expect(await purges.ledger.failures(id)).toMatchObject([
      { path: stubborn, stage: 'data', code: 'Stubborn' },
    ])
    isStubborn = false
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
    expect(await purges.files()).toEqual([])
    const generations = Map.groupBy(heard, ({ generation }) => generation)
    expect([...generations.values()].map((tasks) => tasks.length)).toEqual([expect.any(Number), 1])
  })

  it('has a file tried as often as any other purge, then fails, and goes on when it is tried again', async () => {
    await using fixture = await KafkaFixture.open(cluster.options({ taskEntries }))
    const { purges } = fixture
    const table = await purges.table('t', shape)
    const stubborn = table.files.data[0]!
    let isStubborn = true
    fixture.work(failing(purges.io, (path) => isStubborn && path === stubborn))
    const id = await purges.drop('t', { maxAttempts: 2 })
    expect(await fixture.finished(id)).toMatchObject({ state: 'failed' })
    expect(await purges.files()).toContain(table.files.root[0])
    isStubborn = false
    await purges.ledger.retry(id)
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
    expect(await purges.files()).toEqual([])
  })

  it('does no task of a purge that is held, and all of them after its release', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    const table = await purges.table('t', shape)
    const id = await purges.drop('t')
    await fixture.attempt(id)
    expect(await purges.ledger.hold(id, 'wait')).toBe('handed_off')
    fixture.work()
    await expect.poll(() => fixture.refused().length, { timeout: 60_000 }).toBeGreaterThanOrEqual(4)
    const all = Object.values(table.files).flat().toSorted()
    expect(await fixture.attempt(id)).toEqual({ state: 'held', message: 'wait' })
    expect(await purges.files()).toEqual(all)
    await purges.ledger.release(id)
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
    expect(await purges.files()).toEqual([])
  })

  it('publishes after a hold only the tasks that nobody has done', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    await purges.table('t', shape)
    const id = await purges.drop('t')
    const tasks: Task[] = []
    cluster.listen(options, 'tasks', (task) => void tasks.push(task as Task))
    await fixture.attempt(id)
    await expect.poll(() => tasks.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(4)
    const planned = tasks.length
    const answer = cluster.publisher(options, 'results')
    for (const task of tasks.slice(1)) await answer(liar(task))
    await expect.poll(() => fixture.receipts(id), { timeout: 60_000 }).toHaveLength(planned - 1)
    await purges.ledger.hold(id, 'wait')
    expect(await fixture.attempt(id)).toMatchObject({ state: 'held' })
    await purges.ledger.release(id)
    expect(await fixture.attempt(id)).toMatchObject({ state: 'handed_off' })
    await expect.poll(() => tasks.length, { timeout: 60_000 }).toBe(planned + 1)
    expect(tasks.at(-1)!.task).toBe(tasks[0]!.task)
  })

  it('leaves to the server what a consumer cannot judge', async () => {
    const options = cluster.options({ taskEntries })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    await purges.table('t', shape)
    const id = await purges.drop('t')
    const answer = cluster.publisher(options, 'results')
    cluster.listen(options, 'tasks', async (message) => {
      const receipt = liar(message as Task)
      const { deleted } = receipt.counts
      await answer({ ...receipt, counts: { ...receipt.counts, deleted: 0, left: deleted } })
    })
    expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
    expect(await purges.files()).toEqual([])
  })
})

/** Files of which some cannot be deleted. */
function failing(io: FileIO, fails: (path: string) => boolean): FileIO {
  return forwardFileIO(io, {
    deleteFiles: async (locations, options) => {
      const gone = await io.deleteFiles(
        locations.filter((location) => !fails(location)),
        options,
      )
      const refused: DeleteOutcome = { outcome: 'failed', code: 'Stubborn', message: 'not today' }
      return locations.map((location) => (fails(location) ? refused : gone.shift()!))
    },
  })
}
