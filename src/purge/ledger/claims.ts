/** Who works on which purge: the leases of those that are due (`due.ts`). */
import { type Selectable, sql } from 'kysely'
import type { Transaction } from '../../database/database.ts'
import type { PurgeState, PurgeTable } from '../../database/schema/purges.ts'
import { sharedWith } from '../guard.ts'
import type { Purge, Tally } from '../purger.ts'
import { parseTally } from '../tally.ts'
import { purgeOf } from './record.ts'

/** A purge with the lease under which one worker works on it, as it was when the lease was taken. */
export interface Lease {
  readonly purge: Purge
  /** Name of the purger that works on it, as far as is decided. */
  readonly purger: string
  readonly owner: string
  /** Fencing token: grows with every claim. */
  readonly epoch: number
  /** 1 for the first claim. */
  readonly attempt: number
  /** Claims since the last one that got anything erased, this one included. */
  readonly fruitless: number
  /** Attempts since then that the store asked to wait: they do not count, but the waits grow. */
  readonly throttled: number
  readonly maxAttempts: number
  /** 0 is ordinary; higher goes first. */
  readonly priority: number
  /** Done for good so far. */
  readonly tally: Tally
  readonly checkpoint: unknown
  readonly expected: number | undefined
  /** A file may have been deleted. */
  readonly begun: boolean
  readonly byLocation: boolean
  /** Of work that was handed off. */
  readonly reference: string | undefined
  /** Why its engine is to be told to stop, after which the purge is held; undefined when it is not. */
  readonly recall: string | undefined
  /** Paths that are named as failures. */
  readonly named: number
}

export interface Claimant {
  readonly owner: string
  /** Milliseconds. */
  readonly leaseTime: number
  /** By the database's clock. */
  readonly now: number
}

/**
 * Takes the lease of a purge, after asking the guard in the same transaction, in which the places are locked: when its
 * files are a live or retained table's, too, the purge is held instead. The attempt counts from here, so that a purge
 * that kills its worker every time ends as failed, too.
 *
 * Undefined when the purge is not to be had; `settled` when it is now held or failed.
 */
export async function takeLease(
  tx: Transaction,
  id: string,
  { owner, leaseTime, now }: Claimant,
): Promise<Lease | 'settled' | undefined> {
  const row = await tx
    .updateTable('purges')
    .set((where) => ({
      state: 'running',
      // Of a lease that ran out, what its claim had found.
      claimed_from: sql<PurgeState>`CASE WHEN state = 'running' THEN claimed_from ELSE state END`,
      lease_owner: owner,
      lease_epoch: where('lease_epoch', '+', 1),
      lease_expires_at: now + leaseTime,
      attempts: where('attempts', '+', 1),
      fruitless: where('fruitless', '+', 1),
      started_at: sql<number>`coalesce(started_at, ${now})`,
      updated_at: now,
      counts: '{}',
    }))
    .where('id', '=', id)
    .where((where) =>
      where.or([
        where('state', 'in', ['pending', 'retained', 'handed_off']),
        where.and([where('state', '=', 'running'), where('lease_expires_at', '<', now)]),
      ]),
    )
    .returningAll()
    .executeTakeFirst()
  if (!row) return undefined
  const reason = row.reference === null ? await sharedWith(tx, row) : undefined
  if (reason !== undefined) {
    await settle(tx, row, { state: 'held', held_from: 'pending', held_by: 'guard', hold_reason: reason })
    return 'settled'
  }
  if (row.fruitless > row.max_attempts) {
    const last_error = `Given up after ${row.max_attempts} attempts in which nothing was erased; the last one ended with its worker.`
    const released = { held_from: null, held_by: null, hold_reason: null }
    await settle(tx, row, { state: 'failed', ...released, finished_at: now, last_error })
    return 'settled'
  }
  return { ...leaseOf(row, owner), named: await namedPaths(tx, id) }
}

async function namedPaths(tx: Transaction, id: string): Promise<number> {
  const { count } = await tx
    .selectFrom('purge_failures')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('purge_id', '=', id)
    .executeTakeFirstOrThrow()
  return count
}

function leaseOf(row: Selectable<PurgeTable>, owner: string): Omit<Lease, 'named'> {
  return {
    purge: purgeOf(row),
    purger: row.purger,
    owner,
    epoch: row.lease_epoch,
    attempt: row.attempts,
    fruitless: row.fruitless,
    throttled: row.throttled,
    maxAttempts: row.max_attempts,
    priority: row.priority,
    tally: parseTally(row.tally),
    checkpoint: row.checkpoint === null ? undefined : (JSON.parse(row.checkpoint) as unknown),
    expected: row.expected ?? undefined,
    begun: row.begun_at !== null,
    byLocation: row.by_location === 1,
    reference: row.reference ?? undefined,
    recall: row.held_by === null ? undefined : (row.hold_reason ?? ''),
  }
}

/** Ends the claim at once: it was none that counts. */
async function settle(
  tx: Transaction,
  row: Selectable<PurgeTable>,
  change: {
    readonly state: 'held' | 'failed'
    readonly held_from: 'pending' | null
    readonly held_by: 'guard' | null
    readonly hold_reason: string | null
    readonly finished_at?: number
    readonly last_error?: string
  },
): Promise<void> {
  await tx
    .updateTable('purges')
    .set({
      ...change,
      lease_owner: null,
      lease_expires_at: null,
      attempts: row.attempts - 1,
      fruitless: row.fruitless - 1,
    })
    .where('id', '=', row.id)
    .execute()
}
