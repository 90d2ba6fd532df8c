/** What the ledger should hold: small enough to be seen to be right. States come from the table of the code itself. */
import { originOf, type PurgeEvent, type PurgeState, transitions } from '../../src/purge/states.ts'

export const maxAttempts = 3
/** Milliseconds. */
export const leaseTime = 10_000

export interface PurgeModel {
  state: PurgeState
  heldFrom: PurgeState | undefined
  heldBy: 'guard' | 'operator' | undefined
  begun: boolean
  /** An engine elsewhere has the work. */
  reference: boolean
  epoch: number
  attempts: number
  fruitless: number
  throttled: number
  nextAttemptAt: number
  leaseExpiresAt: number
  endedAt: number
}

export interface TableModel {
  /** Undefined while the table lives. */
  purge: PurgeModel | undefined
  /** Its purge is over, and no longer in the ledger. */
  pruned: boolean
  /** Entries under other names with the same metadata file. */
  twins: number
}

export class Model {
  now = 1_000_000
  readonly tables: TableModel[]
  /** Purges that ended: each has a certificate. */
  certificates = 0

  constructor(tables: number) {
    this.tables = Array.from({ length: tables }, () => ({
      purge: undefined,
      pruned: false,
      twins: 0,
    }))
  }

  isUnfinished(table: TableModel): boolean {
    return table.purge !== undefined && !['succeeded', 'cancelled'].includes(table.purge.state)
  }

  isDue({ purge }: TableModel): boolean {
    if (!purge) return false
    if (purge.state === 'running') return purge.leaseExpiresAt < this.now
    return ['pending', 'retained', 'handed_off'].includes(purge.state) && purge.nextAttemptAt <= this.now
  }

  drop(table: TableModel, retention: number): void {
    table.purge = {
      state: retention > 0 ? 'retained' : 'pending',
      heldFrom: undefined,
      heldBy: undefined,
      begun: false,
      reference: false,
      epoch: 0,
      attempts: 0,
      fruitless: 0,
      throttled: 0,
      nextAttemptAt: this.now + retention,
      leaseExpiresAt: 0,
      endedAt: 0,
    }
  }

  /** Gives what becomes of a claim. */
  claim(table: TableModel): 'leased' | 'settled' {
    const purge = table.purge!
    purge.epoch++
    if (table.twins > 0 && !purge.reference) return guard(purge)
    if (purge.fruitless >= maxAttempts) {
      purge.state = 'failed'
      letGo(purge)
      return 'settled'
    }
    purge.state = transitions[purge.state].claim as PurgeState
    purge.attempts++
    purge.fruitless++
    purge.leaseExpiresAt = this.now + leaseTime
    return 'leased'
  }

  /** Whether the event is allowed; then it has happened. */
  operate(purge: PurgeModel, asked: PurgeEvent): boolean {
    const event = asked === 'hold' && purge.reference ? 'recall' : asked
    const destination = transitions[purge.state][event]
    if (destination === undefined) return false
    if ((event === 'cancel' || event === 'undrop') && purge.begun) return false
    if (asked === 'hold') {
      // What a hold cuts off does not count, but what ended with its worker does.
      if (purge.state === 'running' && purge.leaseExpiresAt >= this.now) giveBack(purge)
      purge.heldFrom ??= purge.state
      purge.heldBy = 'operator'
      purge.epoch++
    }
    if (event === 'recall') {
      purge.fruitless = 0
      purge.throttled = 0
      purge.nextAttemptAt = this.now
    }
    if (event === 'retry') {
      purge.fruitless = 0
      purge.throttled = 0
      purge.nextAttemptAt = this.now
    }
    purge.state = destination === 'origin' ? originOf(purge.heldFrom!) : (destination as PurgeState)
    if (asked !== 'hold') letGo(purge)
    if (purge.state === 'cancelled') {
      purge.endedAt = this.now
      this.certificates++
    }
    return true
  }
}

/** Whoever held it, or was about to, does not any more. */
export function letGo(purge: PurgeModel): void {
  purge.heldFrom = undefined
  purge.heldBy = undefined
}

/** The attempt does not count. */
export function giveBack(purge: PurgeModel): void {
  purge.attempts--
  purge.fruitless = Math.max(0, purge.fruitless - 1)
}

function guard(purge: PurgeModel): 'settled' {
  purge.state = transitions[purge.state].guard as PurgeState
  purge.heldFrom = 'pending'
  purge.heldBy = 'guard'
  return 'settled'
}
