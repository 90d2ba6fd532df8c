/**
 * Which of the files that are gone an engine has deleted, and which were absent before. That they are gone is seen here; who
 * did it, only the engine knows. It has said how many, not which: the first ones count as deleted.
 */
import type { Tally } from '../purger.ts'

/** What engines say, all together, of the files that they had to erase. */
export interface Said {
  readonly deleted: number
  /** Of the deleted files; undefined when it is not said. */
  readonly bytes: number | undefined
}

/** How many are counted as deleted so far: in the checkpoint, while the data stage lasts. */
interface Counted {
  readonly deleted: number
  readonly bytes: number
}

export class Split {
  readonly #said: Said | undefined
  #counted: Counted

  constructor(said: Said | undefined, checkpoint: unknown) {
    this.#said = said
    this.#counted = (checkpoint as { split?: Counted } | null | undefined)?.split ?? { deleted: 0, bytes: 0 }
  }

  /** The same tally of the data stage, in which no more is deleted than was said. */
  apply(tally: Tally): Tally {
    const said = this.#said
    if (!said) return tally
    const { deleted: gone = 0, ...counts } = tally.counts.data ?? {}
    const { deleted: goneBytes = 0, ...sizes } = tally.bytes.data ?? {}
    const deleted = Math.min(gone, Math.max(0, said.deleted - this.#counted.deleted))
    const bytes =
      said.bytes === undefined
        ? goneBytes
        : Math.min(goneBytes, Math.max(0, said.bytes - this.#counted.bytes))
    this.#counted = { deleted: this.#counted.deleted + deleted, bytes: this.#counted.bytes + bytes }
    return {
      ...tally,
      counts: { ...tally.counts, data: { ...counts, ...parts(deleted, gone - deleted) } },
      bytes: { ...tally.bytes, data: { ...sizes, ...parts(bytes, goneBytes - bytes) } },
    }
  }

  /** The checkpoint that goes with what is counted so far. */
  within(checkpoint: unknown): unknown {
    return this.#said ? { ...(checkpoint as object), split: this.#counted } : checkpoint
  }
}

/** Nothing is said of what there is none of. */
function parts(deleted: number, absent: number): { deleted?: number; absent?: number } {
  return { ...(deleted > 0 && { deleted }), ...(absent > 0 && { absent }) }
}
