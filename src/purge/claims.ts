/** Who works on which purge: finding one that is due, and taking its lease. */
import { sql } from 'kysely'
import type { Transaction } from '../database/database.ts'
import { dialectOf } from '../database/dialect.ts'
import { sharedWith } from './guard.ts'
import type { Purge, Stage } from './purger.ts'
import { purgeOf, stageOf } from './record.ts'

/** A purge with the lease under which one worker works on it. */
export interface Lease {
  readonly purge: Purge
  readonly owner: string
  /** Fencing token: grows with every claim. */
  readonly epoch: number
  /** 1 for the first attempt. */
  readonly attempt: number
  readonly maxAttempts: number
  readonly stage: Stage
}

/**
 * The purge of a warehouse that is due next: a lease that has run out first, then by priority and by the time for which
 * it waits. One that another transaction is claiming is passed over.
 */
export async function nextDue(tx: Transaction, warehouse: string, now: number): Promise<string | undefined> {
  // SQLite's write transactions are alone anyway.
  const lock = dialectOf(tx) === 'postgres' ? sql`FOR UPDATE SKIP LOCKED` : sql``
  const abandoned = await sql<{ id: string }>`
    SELECT id FROM purges
    WHERE state = 'running' AND warehouse = ${warehouse} AND lease_expires_at < ${now}
    ORDER BY lease_expires_at LIMIT 1 ${lock}`.execute(tx)
  if (abandoned.rows[0]) return abandoned.rows[0].id
  const pending = await sql<{ id: string }>`
    SELECT id FROM purges
    WHERE state = 'pending' AND warehouse = ${warehouse} AND next_attempt_at <= ${now}
    ORDER BY priority DESC, next_attempt_at, id LIMIT 1 ${lock}`.execute(tx)
  return pending.rows[0]?.id
}

/**
 * Takes the lease of a purge, after asking the guard in the same transaction, in which the places are locked: when a
 * live table has the same metadata file or UUID, the purge is held instead. The attempt counts from here, so that a
 * purge that kills its worker every time ends as failed, too.
 *
 * Undefined when the purge is not to be had; `settled` when it is now held or failed.
 */
export async function takeLease(
  tx: Transaction,
  id: string,
  { owner, leaseTime, now }: { readonly owner: string; readonly leaseTime: number; readonly now: number },
): Promise<Lease | 'settled' | undefined> {
  const row = await tx
    .updateTable('purges')
    .set((where) => ({
      state: 'running',
      lease_owner: owner,
      lease_epoch: where('lease_epoch', '+', 1),
      lease_expires_at: now + leaseTime,
      attempts: where('attempts', '+', 1),
      started_at: sql<number>`coalesce(started_at, ${now})`,
      updated_at: now,
    }))
    .where('id', '=', id)
    .where((where) =>
      where.or([
        where('state', '=', 'pending'),
        where.and([where('state', '=', 'running'), where('lease_expires_at', '<', now)]),
      ]),
    )
    .returningAll()
    .executeTakeFirst()
  if (!row) return undefined
  const reason = await sharedWith(tx, row)
  if (reason !== undefined) {
    await settle(tx, id, { state: 'held', held_from: 'pending', hold_reason: reason })
    return 'settled'
  }
  if (row.attempts > row.max_attempts) {
    const last_error = `Given up after ${row.max_attempts} attempts, the last of which ended with its worker. ${row.last_error ?? ''}`
    await settle(tx, id, { state: 'failed', finished_at: now, attempts: row.max_attempts, last_error })
    return 'settled'
  }
  return {
    purge: purgeOf(row),
    owner,
    epoch: row.lease_epoch,
    attempt: row.attempts,
    maxAttempts: row.max_attempts,
    stage: stageOf(row),
  }
}

async function settle(
  tx: Transaction,
  id: string,
  change: {
    readonly state: 'held' | 'failed'
    readonly held_from?: 'pending'
    readonly hold_reason?: string
    readonly finished_at?: number
    readonly attempts?: number
    readonly last_error?: string
  },
): Promise<void> {
  await tx
    .updateTable('purges')
    .set({ ...change, lease_owner: null, lease_expires_at: null })
    .where('id', '=', id)
    .execute()
}
