/**
 * The life of a purge: every state, every event, and where it leads. The table is total, so that the compiler checks
 * that nothing was forgotten; `test/model` walks it against the real ledger. SPEC.md explains it.
 */
import type { PurgeState } from '../database/schema/purges.ts'

export type { PurgeState } from '../database/schema/purges.ts'

export type PurgeEvent =
  /** A worker takes the lease: of one that is due, or whose lease has run out. */
  | 'claim'
  /** The guard finds, at a claim, that the files are another table's too. */
  | 'guard'
  /** Erased and verified. */
  | 'succeed'
  /** To be tried again, or handed back by a server that stops. */
  | 'defer'
  /** No attempt is left, or none can help. */
  | 'fail'
  /** An external engine has the work. */
  | 'handOff'
  /** An operator stops it. */
  | 'hold'
  /** Likewise, where an engine elsewhere has the work: a worker tells the engine to stop, and only then is the purge held. */
  | 'recall'
  /** An operator lets it go on. */
  | 'release'
  /** An operator has a failed one tried again. */
  | 'retry'
  /** An operator gives the files up without erasing them. */
  | 'cancel'
  /** The table comes back. */
  | 'undrop'
  /** The time for which ended purges are kept is over. */
  | 'prune'

/** `origin`: the state in which it was held; one that was running or handed off goes on as pending. `gone`: the row is removed. */
export type Destination = PurgeState | 'origin' | 'gone'

/** Undefined: the event does not happen in this state, or is refused. */
export const transitions: Readonly<
  Record<PurgeState, Readonly<Record<PurgeEvent, Destination | undefined>>>
> = {
  retained: {
    claim: 'running',
    guard: 'held',
    succeed: undefined,
    defer: undefined,
    fail: undefined,
    handOff: undefined,
    hold: 'held',
    recall: undefined,
    release: undefined,
    retry: undefined,
    cancel: 'cancelled',
    undrop: 'cancelled',
    prune: undefined,
  },
  pending: {
    claim: 'running',
    guard: 'held',
    succeed: undefined,
    defer: undefined,
    fail: 'failed',
    handOff: undefined,
    hold: 'held',
    recall: 'handed_off',
    release: undefined,
    retry: undefined,
    cancel: 'cancelled',
    undrop: 'cancelled',
    prune: undefined,
  },
  running: {
    claim: 'running',
    guard: 'held',
    succeed: 'succeeded',
    defer: 'pending',
    fail: 'failed',
    handOff: 'handed_off',
    hold: 'held',
    recall: 'handed_off',
    release: undefined,
    retry: undefined,
    cancel: undefined,
    undrop: undefined,
    prune: undefined,
  },
  handed_off: {
    claim: 'running',
    guard: undefined,
    succeed: undefined,
    defer: undefined,
    fail: undefined,
    handOff: undefined,
    hold: undefined,
    recall: 'handed_off',
    release: undefined,
    retry: undefined,
    cancel: undefined,
    undrop: undefined,
    prune: undefined,
  },
  held: {
    claim: undefined,
    guard: undefined,
    succeed: undefined,
    defer: undefined,
    fail: undefined,
    handOff: undefined,
    hold: undefined,
    recall: undefined,
    release: 'origin',
    retry: undefined,
    cancel: 'cancelled',
    undrop: 'cancelled',
    prune: undefined,
  },
  succeeded: {
    claim: undefined,
    guard: undefined,
    succeed: undefined,
    defer: undefined,
    fail: undefined,
    handOff: undefined,
    hold: undefined,
    recall: undefined,
    release: undefined,
    retry: undefined,
    cancel: undefined,
    undrop: undefined,
    prune: 'gone',
  },
  failed: {
    claim: undefined,
    guard: undefined,
    succeed: undefined,
    defer: undefined,
    fail: undefined,
    handOff: undefined,
    hold: 'held',
    recall: 'handed_off',
    release: undefined,
    retry: 'pending',
    cancel: undefined,
    undrop: undefined,
    prune: undefined,
  },
  cancelled: {
    claim: undefined,
    guard: undefined,
    succeed: undefined,
    defer: undefined,
    fail: undefined,
    handOff: undefined,
    hold: undefined,
    recall: undefined,
    release: undefined,
    retry: undefined,
    cancel: undefined,
    undrop: undefined,
    prune: 'gone',
  },
}

/** States from which an event leads somewhere. */
export function statesWith(event: PurgeEvent): PurgeState[] {
  return (Object.keys(transitions) as PurgeState[]).filter((state) => transitions[state][event] !== undefined)
}

/** Where a held purge goes when it is released. */
export function originOf(heldFrom: PurgeState): PurgeState {
  return heldFrom === 'running' || heldFrom === 'handed_off' ? 'pending' : heldFrom
}

/** States in which the purge still has its places reserved. */
export const unfinished: readonly PurgeState[] = [
  'retained',
  'pending',
  'running',
  'handed_off',
  'held',
  'failed',
]
