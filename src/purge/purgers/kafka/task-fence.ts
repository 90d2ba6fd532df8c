import type { Database } from '../../../database/database.ts'
import { purgeOf } from '../../ledger/record.ts'
import type { Purge } from '../../purger.ts'
import { receiptKey, type Task } from './messages.ts'
import { planOf } from './plan.ts'

/** The task is not to be worked on: its purge is over, held or about to be, or has another generation. */
export class StaleTaskError extends Error {
  override readonly name = 'StaleTaskError'
}

/** States of a purge whose tasks count. Pending: between two attempts of the server that inspects it. */
const states = ['pending', 'running', 'handed_off'] as const

/** Asks the ledger whether a task is still to be done. Throws what the database throws, and {@link StaleTaskError}. */
export class TaskFence {
  readonly #database: Database
  readonly #task: Task

  constructor(database: Database, task: Task) {
    this.#database = database
    this.#task = task
  }

  /** The purge that the task belongs to, as the ledger has it. */
  async purge(): Promise<Purge> {
    const row = await this.#atWork().selectAll().executeTakeFirst()
    this.#check(row?.checkpoint)
    return purgeOf(row!)
  }

  /** To be awaited before every batch. */
  async confirm(): Promise<void> {
    const row = await this.#atWork().select('checkpoint').executeTakeFirst()
    this.#check(row?.checkpoint)
  }

  /** Somebody has done the task, and the ledger has the receipt. */
  async isDone(): Promise<boolean> {
    const { purge, generation, task } = this.#task
    const row = await this.#database.reader
      .selectFrom('purge_messages')
      .select('key')
      .where('purge_id', '=', purge)
      .where('key', '=', receiptKey(generation, task))
      .executeTakeFirst()
    return row !== undefined
  }

  /** The task's purge, while an engine is to work on it. */
  #atWork() {
    return this.#database.reader
      .selectFrom('purges')
      .where('id', '=', this.#task.purge)
      .where('state', 'in', states)
      .where('held_by', 'is', null)
  }

  #check(checkpoint: string | null | undefined): void {
    const plan = planOf(JSON.parse(checkpoint ?? 'null'))
    const { purge, generation, task } = this.#task
    if (plan?.generation === generation && plan.tasks.includes(task)) return
    throw new StaleTaskError(`Task ${generation}/${task} of purge ${purge} is not to be done any more.`)
  }
}
