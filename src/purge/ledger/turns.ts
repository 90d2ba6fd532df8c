/**
 * The order in which due purges are claimed: the highest rank first; within it the warehouses in turn, one each; of a
 * warehouse first what is abandoned, then by turns one that is to be asked about and one that is to be worked on, the one
 * that waits for longest. So an engine that is asked often does not keep others waiting, nor they an answer.
 */
import type { Transaction } from '../../database/database.ts'
import { allDue, type Due, firstDue, type Lane } from './due.ts'

/** What a warehouse may have of one claim. */
export interface Turn {
  readonly warehouse: string
  /** For which a lease is taken there, milliseconds. */
  readonly leaseTime: number
  /** Purges, at most. @default as many as there is room for */
  readonly limit?: number
  /** The last purge that was claimed here was one to be asked about. @default false */
  readonly asked?: boolean
}

/** Names one due purge after the other, as long as it is asked for more. Each must have been dealt with before the next. */
export async function* inTurn(
  tx: Transaction,
  turns: readonly Turn[],
  now: number,
): AsyncGenerator<{ readonly turn: Turn; readonly id: string }> {
  const due = await allDue(tx, now)
  const queues = turns.map((turn) => new Queue(turn))
  const ranks = new Set(due.map(({ rank }) => rank))
  for (const rank of [...ranks].toSorted((a, b) => b - a)) {
    const ofRank = due.filter((each) => each.rank === rank)
    for (const queue of queues) queue.enter(ofRank)
    for (let waiting = queues; waiting.length > 0; ) {
      const more: Queue[] = []
      for (const queue of waiting) {
        const id = await queue.next(tx, now)
        if (id === undefined) continue
        yield { turn: queue.turn, id }
        more.push(queue)
      }
      waiting = more
    }
  }
}

/** The due purges of one warehouse. */
class Queue {
  readonly turn: Turn
  #left: number
  #asked: boolean
  #due = new Map<Lane, Due>()

  constructor(turn: Turn) {
    this.turn = turn
    this.#left = turn.limit ?? Number.POSITIVE_INFINITY
    this.#asked = turn.asked ?? false
  }

  /** Those of the next rank. */
  enter(due: readonly Due[]): void {
    const own = due.filter(({ warehouse }) => warehouse === this.turn.warehouse)
    this.#due = new Map(own.map((each) => [each.lane, each]))
  }

  async next(tx: Transaction, now: number): Promise<string | undefined> {
    if (this.#left === 0) return undefined
    const byTurns: readonly Lane[] = this.#asked ? ['waiting', 'elsewhere'] : ['elsewhere', 'waiting']
    for (const lane of ['abandoned', ...byTurns] as const) {
      const due = this.#due.get(lane)
      const id = due && (await firstDue(tx, due, now))
      if (id === undefined) continue
      this.#left--
      if (lane !== 'abandoned') this.#asked = lane === 'elsewhere'
      return id
    }
    return undefined
  }
}
