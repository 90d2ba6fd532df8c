import type { Receipt, Task } from '../../src/purge/purgers/kafka/messages.ts'
import type { Cluster } from './cluster.ts'

/**
 * Hears what goes over the topics and says it again: tasks and receipts twice and in another order, and receipts of
 * generations that never were, which claim that all is erased.
 */
export class Troublemaker {
  readonly #task: (message: object) => Promise<void>
  readonly #receipt: (message: object) => Promise<void>
  readonly #heard: { tasks: Task[]; receipts: Receipt[] } = { tasks: [], receipts: [] }
  /** Messages that it has sent. */
  sent = 0

  constructor(cluster: Cluster, options: Readonly<Record<string, unknown>>) {
    this.#task = cluster.publisher(options, 'tasks')
    this.#receipt = cluster.publisher(options, 'results')
    cluster.listen(options, 'tasks', (task) => void this.#heard.tasks.push(task as Task))
    cluster.listen(options, 'results', (receipt) => void this.#heard.receipts.push(receipt as Receipt))
  }

  /** Sends a handful of what it has heard so far. What the broker does not take is lost. */
  async trouble(): Promise<void> {
    const { tasks, receipts } = this.#heard
    for (const task of some(tasks)) {
      await this.#say(this.#task, task)
      await this.#say(this.#receipt, falseReceipt(task, task.generation + 1))
      await this.#say(this.#receipt, falseReceipt(task, task.generation - 1))
    }
    for (const receipt of some(receipts)) await this.#say(this.#receipt, receipt)
  }

  async #say(publish: (message: object) => Promise<void>, message: object): Promise<void> {
    const taken = await publish(message).then(
      () => true,
      () => false,
    )
    if (taken) this.sent++
  }
}

/** Up to five, in any order. */
function some<T>(messages: readonly T[]): T[] {
  return Array.from(
    { length: Math.min(5, messages.length) },
    () => messages[Math.floor(Math.random() * messages.length)]!,
  )
}

function falseReceipt({ version, purge, task, manifests }: Task, generation: number): Receipt {
  const deleted = manifests.reduce((sum, { entries }) => sum + (entries ?? 0), 0)
  return {
    version,
    purge,
    generation,
    task,
    consumer: 'troublemaker',
    counts: { deleted, absent: 0, kept: 0, blocked: 0, failed: 0, left: 0 },
    bytes: 0,
    failures: [],
    error: null,
  }
}
