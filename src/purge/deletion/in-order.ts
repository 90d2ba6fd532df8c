/**
 * Runs actions in the order in which their turns were taken, whenever they come: the second waits for the first. A turn
 * whose action never comes stops all after it.
 */
export class InOrder {
  readonly #ready: ((() => void) | undefined)[] = []
  #taken = 0
  #done = 0

  /** Turns that were taken and whose action, or one before it, has not run. */
  get waiting(): number {
    return this.#taken - this.#done
  }

  /** Takes a turn. Gives what is called with its action. */
  next(): (action: () => void) => void {
    const turn = this.#taken++
    return (action) => {
      this.#ready[turn - this.#done] = action
      while (this.#ready[0]) {
        this.#done++
        this.#ready.shift()!()
      }
    }
  }
}
