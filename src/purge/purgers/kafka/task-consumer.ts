import { Publisher, Subscription } from './client.ts'
import type { KafkaOptions } from './options.ts'
import { TaskWorker, type TaskWorkerOptions } from './task-worker.ts'

/** A member of the group that does the tasks of a topic, one at a time. */
export class TaskConsumer {
  readonly #publisher: Publisher
  readonly #subscription: Subscription

  constructor(options: KafkaOptions, worker: Omit<TaskWorkerOptions, 'answer'>) {
    const { tasks, results } = options.topics
    const publisher = new Publisher(options)
    const tasksOf = new TaskWorker({
      ...worker,
      answer: (key, receipt) => publisher.publish(results, { key, body: receipt }),
    })
    this.#publisher = publisher
    this.#subscription = new Subscription(options, {
      topic: tasks,
      group: `${tasks}-workers`,
      logger: worker.logger,
      handle: (body, signal) => tasksOf.handle(body, signal),
    })
  }

  /** Stops before the next batch and leaves the group: a task that is not answered is another member's. */
  async stop(): Promise<void> {
    await Promise.all([this.#subscription.stop(), this.#publisher.close()])
  }
}
