import { rmSync } from 'node:fs'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { Dialect } from '../../src/database/database.ts'
import { checkpointOf } from '../../src/purge/checkpoint.ts'
import type { IcebergPurger } from '../../src/purge/purger.ts'
import type { Receipt, Task } from '../../src/purge/purgers/kafka/messages.ts'
import { makePlan, type Plan, taskMessages } from '../../src/purge/purgers/kafka/plan.ts'
import { TaskWorker } from '../../src/purge/purgers/kafka/task-worker.ts'
import { readManifestLists } from '../../src/purge/reach.ts'
import { readRoot } from '../../src/purge/root.ts'
import type { DeleteOutcome, FileIO } from '../../src/storage/file-io.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

/** A purge that is handed off, its tasks, and a worker whose receipts are kept here. */
class Handed implements AsyncDisposable {
  readonly fixture: PurgeFixture
  readonly receipts: Receipt[] = []
  readonly worker: TaskWorker
  id = ''
  tasks: readonly Task[] = []

  static async open(dialect: Dialect, warehouse = 'main'): Promise<Handed> {
    const handed = new Handed(await PurgeFixture.open(dialect), warehouse)
    await handed.fixture.table('t', { snapshots: 2, filesPerSnapshot: 100 })
    handed.id = await handed.fixture.drop('t', { purger: 'kafka' })
    await handed.handOff()
    return handed
  }

  private constructor(fixture: PurgeFixture, warehouse: string) {
    this.fixture = fixture
    this.worker = this.#workerOf(warehouse, fixture.io)
  }

  /** A worker that can delete nothing, for this reason. */
  refusing(reason: DeleteOutcome): TaskWorker {
    const deleteFiles: FileIO['deleteFiles'] = async (locations) => locations.map(() => reason)
    return this.#workerOf('main', forwardFileIO(this.fixture.io, { deleteFiles }))
  }

  #workerOf(warehouse: string, io: FileIO): TaskWorker {
    return new TaskWorker({
      database: this.fixture.database,
      logger: pino({ level: 'silent' }),
      consumer: 'test',
      warehouses: new Map([[warehouse, { io, pace: (files) => files, deleteConcurrency: 2 }]]),
      answer: async (_key, receipt) => void this.receipts.push(receipt),
    })
  }

  /** Makes a generation of tasks, one for every manifest. */
  async handOff(): Promise<void> {
    const purger: IcebergPurger = {
      name: 'kafka',
      waits: false,
      purge: async (purge, run) => {
        const manifests = await readManifestLists(
          run.io,
          await readRoot(run.io, purge, run.signal),
          run.signal,
        )
        const plan: Plan = makePlan(manifests, run.epoch, 1)
        run.save({ ...checkpointOf(undefined), kafka: plan })
        this.tasks = [...taskMessages(purge, plan, manifests, { tasks: plan.tasks, keep: [], until: 0 })]
        return { kind: 'handed_off', reference: 'kafka' }
      },
      inspect: async () => ({ state: 'failed', message: 'again' }),
    }
    const ends = async () => await this.fixture.run(this.id, { purger, backoff: { base: 1, max: 1 } })
    if ((await ends()).state !== 'handed_off') await ends()
  }

  async handle(task: object, signal = new AbortController().signal): Promise<void> {
    await this.worker.handle(Buffer.from(JSON.stringify(task)), signal)
  }

  /** Data files that are there. */
  async data(): Promise<number> {
    return (await this.fixture.files()).filter((path) => path.includes('/data/')).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fixture[Symbol.asyncDispose]()
  }
}

describe.each(dialects)('a worker of the purger kafka, with its ledger on %s', (dialect) => {
  it('erases the files of its task, and answers with what became of them', async () => {
    await using handed = await Handed.open(dialect)
    const before = await handed.data()
    for (const task of handed.tasks) await handed.handle(task)
    expect(handed.receipts).toHaveLength(handed.tasks.length)
    const deleted = handed.receipts.reduce((sum, { counts }) => sum + counts.deleted, 0)
    expect(deleted).toBe(before)
    expect(await handed.data()).toBe(0)
    expect(handed.receipts).toMatchObject(
      handed.tasks.map(({ purge, generation, task }) => ({
        purge,
        generation,
        task,
        error: null,
        failures: [],
      })),
    )
  })

  it('repeats its receipt when a task comes twice', async () => {
    await using handed = await Handed.open(dialect)
    await handed.handle(handed.tasks[0]!)
    await handed.handle(handed.tasks[0]!)
    expect(handed.receipts).toHaveLength(2)
    expect(handed.receipts[1]).toEqual(handed.receipts[0])
    expect(handed.receipts[1]!.counts.deleted).toBeGreaterThan(0)
  })

  it('does not do what somebody else has done', async () => {
    await using handed = await Handed.open(dialect)
    const [task] = handed.tasks as [Task]
    const before = await handed.data()
    await handed.fixture.ledger.deliver(handed.id, [{ key: `${task.generation}/${task.task}`, body: {} }])
    await handed.handle(task)
    expect(handed.receipts).toEqual([])
    expect(await handed.data()).toBe(before)
  })

  it('erases nothing for a task of an older generation, of another plan, of no purge, or that it cannot read', async () => {
    await using handed = await Handed.open(dialect)
    const [old] = handed.tasks as [Task]
    await handed.handOff()
    const [task] = handed.tasks as [Task]
    expect(task.generation).toBeGreaterThan(old.generation)
    const before = await handed.data()
    await handed.handle(old)
    await handed.handle({ ...task, generation: task.generation + 1 })
    await handed.handle({ ...task, task: 1_000 })
    await handed.handle({ ...task, purge: '00000000-0000-4000-8000-000000000000' })
    await handed.handle({ ...task, version: 2 })
    await handed.handle([])
    expect(handed.receipts).toEqual([])
    expect(await handed.data()).toBe(before)
    await handed.handle(task)
    expect(await handed.data()).toBeLessThan(before)
  })

  it('says that a manifest is missing, for good', async () => {
    await using handed = await Handed.open(dialect)
    const [task] = handed.tasks as [Task]
    rmSync(task.manifests[0]!.path.replace('file://', ''))
    await handed.handle(task)
    expect(handed.receipts).toMatchObject([{ error: { code: 'PermanentPurgeError', permanent: true } }])
    expect(handed.receipts[0]!.error!.message).toContain(task.manifests[0]!.path)
  })

  it('leaves the task of a warehouse that it does not have to others', async () => {
    await using handed = await Handed.open(dialect, 'another')
    const before = await handed.data()
    await handed.handle(handed.tasks[0]!)
    expect(handed.receipts).toEqual([])
    expect(await handed.data()).toBe(before)
  })

  it('passes over a purge that has a zero character in its name', async () => {
    await using handed = await Handed.open(dialect)
    await handed.handle({ ...handed.tasks[0]!, purge: 'a\0b' })
    expect(handed.receipts).toEqual([])
    const receipts = [{ key: '1/0', body: {} }]
    expect(await handed.fixture.ledger.deliver('a\0b', receipts)).toBe(false)
  })

  it('does not look at the clock: the ledger says whether a task is to be done', async () => {
    await using handed = await Handed.open(dialect)
    await handed.handle({ ...handed.tasks[0]!, until: '2000-01-01T00:00:00Z' })
    expect(handed.receipts).toMatchObject([{ error: null, failures: [] }])
  })

  it('answers with what the ledger can keep, however long the names of failures are', async () => {
    await using handed = await Handed.open(dialect)
    const failing = handed.refusing({ outcome: 'failed', code: 'X', message: '目'.repeat(2_000) })
    for (const task of handed.tasks)
      await failing.handle(Buffer.from(JSON.stringify(task)), new AbortController().signal)
    expect(handed.receipts).toHaveLength(handed.tasks.length)
    for (const { purge, generation, task, ...receipt } of handed.receipts) {
      const body = { purge, generation, task, ...receipt }
      expect(await handed.fixture.ledger.deliver(purge, [{ key: `${generation}/${task}`, body }])).toBe(true)
    }
  })

  it('answers nothing when it is stopped: the task comes again elsewhere', async () => {
    await using handed = await Handed.open(dialect)
    await expect(handed.handle(handed.tasks[0]!, AbortSignal.abort(new Error('stopped')))).rejects.toThrow(
      'stopped',
    )
    expect(handed.receipts).toEqual([])
  })
})
