/** Runs work one at a time per key, in the order of arrival; work with several keys waits for all of them. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>()

  async run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>()
    // All keys are taken in one step, so that two works can never wait for each other.
    const distinct = [...new Set(keys)]
    const before = distinct.flatMap((key) => this.#tails.get(key) ?? [])
    for (const key of distinct) this.#tails.set(key, finished)
    try {
      await Promise.all(before)
      return await work()
    } finally {
      finish()
      for (const key of distinct) if (this.#tails.get(key) === finished) this.#tails.delete(key)
    }
  }
}
