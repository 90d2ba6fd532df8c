import { setTimeout as sleep } from 'node:timers/promises'
import type { Receipt, Task } from '../../src/purge/purgers/kafka/messages.ts'
import type { Cluster } from './cluster.ts'

/** Milliseconds that a message is held back, at most. */
const longestDelay = 1_500
/** One message in so many is lost on the way. */
const lostEvery = 50
/** Purges that get a false success of what they wait for. */
const liesPerPurge = 1

/**
 * Stands between the server and its workers, who have topics of their own: passes everything on late, in another order, and
 * not all of it. Says again what it has heard, and says falsely that all is erased: for generations that never were, and for
 * the one that is under way.
 */
export class Troublemaker {
  readonly #task: (message: object) => Promise<void>
  readonly #receipt: (message: object) => Promise<void>
  readonly #heard: { tasks: Task[]; receipts: Receipt[] } = { tasks: [], receipts: [] }
  readonly #lies = new Map<string, number>()
  readonly #published = new Set<string>()
  readonly #underWay = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  /** Messages that it has sent again, or that are false. */
  sent = 0
  /** False successes of the generation under way. */
  lies = 0
  /** Messages that it has not passed on. */
  lost = 0
  /** Messages that were overtaken by a later one. */
  overtaken = 0
  /** Tasks that the server has published again. */
  redelivered = 0

  /**
   * @param server what the server has as its options.
   * @param workers what the workers have: with other topics.
   */
  constructor(
    cluster: Cluster,
    server: Readonly<Record<string, unknown>>,
    workers: Readonly<Record<string, unknown>>,
  ) {
    this.#task = cluster.publisher(workers, 'tasks')
    this.#receipt = cluster.publisher(server, 'results')
    const passOn = this.#late()
    cluster.listen(server, 'tasks', (message) => {
      const task = message as Task
      this.#heard.tasks.push(task)
      const name = `${task.purge}/${task.generation}/${task.task}`
      if (this.#published.has(name)) this.redelivered++
      this.#published.add(name)
      passOn(this.#task, task)
    })
    cluster.listen(workers, 'results', (message) => {
      this.#heard.receipts.push(message as Receipt)
      passOn(this.#receipt, message as Receipt)
    })
  }

  /** Sends a handful of what it has heard so far, and what is false. What the broker does not take is lost. */
  async trouble(): Promise<void> {
    const { tasks, receipts } = this.#heard
    for (const task of some(tasks)) {
      await this.#say(this.#task, task)
      await this.#say(this.#receipt, falseReceipt(task, task.generation + 1))
      await this.#say(this.#receipt, falseReceipt(task, task.generation - 1))
    }
    for (const receipt of some(receipts)) await this.#say(this.#receipt, receipt)
  }

  /** Says that a task which was just published is done: before anybody could have done it. */
  async lie(): Promise<void> {
    const task = this.#heard.tasks.findLast(({ purge }) => (this.#lies.get(purge) ?? 0) < liesPerPurge)
    if (!task || !(await this.#say(this.#receipt, falseReceipt(task, task.generation)))) return
    this.#lies.set(task.purge, (this.#lies.get(task.purge) ?? 0) + 1)
    this.lies++
  }

  /** Passes nothing on any more. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#underWay)
  }

  /** Passes messages on, each after a time of its own. */
  #late(): (publish: (message: object) => Promise<void>, message: object) => void {
    let count = 0
    let last = 0
    return (publish, message) => {
      const number = ++count
      if (number % lostEvery === 0) {
        this.lost++
        return
      }
      const passing = (async () => {
        const { signal } = this.#closing
        await sleep(Math.random() * longestDelay, undefined, { signal }).catch(() => undefined)
        while (!signal.aborted) {
          const taken = await publish(message).then(
            () => true,
            () => false,
          )
          if (!taken) {
            await sleep(500, undefined, { signal }).catch(() => undefined)
            continue
          }
          if (number < last) this.overtaken++
          last = Math.max(last, number)
          return
        }
      })()
      this.#underWay.add(passing)
      void passing.finally(() => this.#underWay.delete(passing))
    }
  }

  async #say(publish: (message: object) => Promise<void>, message: object): Promise<boolean> {
    const taken = await publish(message).then(
      () => true,
      () => false,
    )
    if (taken) this.sent++
    return taken
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
