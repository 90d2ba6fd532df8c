/**
 * For how long a purge works before it lets others go first. Letting go costs what an attempt does before it erases the
 * first file: for a table with a long history, minutes of reading. So a purge has at least as long to erase as it took to
 * begin; and one that had to go before it had erased anything has twice the time when it comes again, without a limit:
 * purgers that read everything before the first file save nothing meanwhile, and with one they might begin anew for ever.
 * So it reads less than three times what a single reading takes, however much others have to do.
 */

export class TimeSlice {
  readonly #purge: string
  readonly #began: number
  readonly #usual: number
  readonly #patience: Patience
  #firstErased: number | undefined

  constructor(purge: string, began: number, usual: number, patience: Patience) {
    this.#purge = purge
    this.#began = began
    this.#usual = usual
    this.#patience = patience
  }

  /** The attempt has got something erased for good. */
  erased(now: number): void {
    this.#firstErased ??= now
    this.#patience.forget(this.#purge)
  }

  isOver(now: number): boolean {
    return this.left(now) <= 0
  }

  /** Milliseconds until it is over, unless something is erased before; none when it is. */
  left(now: number): number {
    if (this.#firstErased === undefined)
      return Math.max(0, this.#began + this.#patience.of(this.#purge, this.#usual) - now)
    return Math.max(0, this.#firstErased + Math.max(this.#usual, this.#firstErased - this.#began) - now)
  }

  /** The purge has to go. */
  end(): void {
    if (this.#firstErased === undefined) this.#patience.grow(this.#purge, this.#usual)
  }
}

/** How long purges may take that had to go before they had erased anything. */
export class Patience {
  readonly #times = new Map<string, number>()

  of(purge: string, usual: number): number {
    return this.#times.get(purge) ?? usual
  }

  grow(purge: string, usual: number): void {
    this.#times.set(purge, 2 * this.of(purge, usual))
  }

  forget(purge: string): void {
    this.#times.delete(purge)
  }
}
