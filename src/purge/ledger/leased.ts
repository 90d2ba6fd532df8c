/**
 * What the holder of a lease writes. Every statement carries owner and epoch, so that a worker that was declared dead
 * changes nothing any more; values are absolute, so that a write whose COMMIT was not answered can be repeated.
 */
import { type Selectable, sql, type Updateable } from 'kysely'
import type { Database, Transaction } from '../../database/database.ts'
import type { PurgeTable } from '../../database/schema/purges.ts'
import type { OutcomeCounts, PathFailure, Stage, Tally } from '../purger.ts'
import { addCounts } from '../tally.ts'
import { appendCertificate, type Evidence } from './certificates.ts'
import type { Lease } from './claims.ts'
import { countMessages } from './messages.ts'
import { storedPath, storedText } from './text.ts'

/** Rows of one INSERT or keys of one DELETE. */
const rowsPerStatement = 200

/** The lease has run out and somebody else may have the purge: stop, and write nothing more. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
  constructor(id: string) {
    super(`The lease of purge ${id} is lost.`)
  }
}

/** A failure, and whether its path is the table's own: see `Done.own`. */
export interface NamedFailure extends PathFailure {
  readonly own: boolean
}

/** How far an attempt has come. */
export interface Progress {
  /** Dealt with, not saved. */
  readonly counts: OutcomeCounts
  /** Done for good, all attempts together. */
  readonly tally: Tally
  readonly checkpoint: unknown
  readonly expected: number | undefined
  /** This attempt has got something done for good. */
  readonly fruitful: boolean
  /** To be named; of a path that is named already, the latest news. */
  readonly failures: readonly NamedFailure[]
  /** Named paths that are erased after all. */
  readonly resolved: readonly string[]
  /** Messages that there were when the attempt began, or when it asked for them; undefined where nothing can be handed off. */
  readonly heard?: number | undefined
}

/** How an attempt ended. */
export type AttemptEnd =
  | { readonly state: 'succeeded'; readonly evidence: Evidence }
  | {
      readonly state: 'failed'
      readonly error: string
      /** What was handed off has failed: the next attempt hands it off anew. */
      readonly resubmit?: boolean
    }
  | {
      readonly state: 'held'
      readonly reason: string
      /** The engine elsewhere has been told to stop: the next attempt hands the work off anew. */
      readonly resubmit?: boolean
    }
  /** To be tried again, after `delay` milliseconds. */
  | {
      readonly state: 'pending'
      readonly delay: number
      readonly error?: string
      /** The attempt does not count: the server stops, or others wait. */
      readonly handedBack?: boolean
      /** The attempt does not count, but the next wait is longer: the store asks for patience. */
      readonly throttled?: boolean
      /** What was handed off has failed: the next attempt hands it off anew. */
      readonly resubmit?: boolean
      /** False where what the attempt has saved as erased is there again. @default as the progress says */
      readonly fruitful?: boolean
    }
  /** To be asked about after `delay` milliseconds. */
  | { readonly state: 'handed_off'; readonly reference: string; readonly delay: number }

/** Renews the lease and stores how far the work has come. Throws {@link LeaseLostError}. */
export async function beat(
  database: Database,
  lease: Lease,
  leaseTime: number,
  progress: Progress,
): Promise<void> {
  await database.transaction(async (tx) => {
    const now = await database.now(tx)
    const { numUpdatedRows } = await heldBy(lease, tx)
      .set({ lease_expires_at: now + leaseTime, updated_at: now, ...columnsOf(progress) })
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) throw new LeaseLostError(lease.purge.id)
    await nameFailures(tx, lease.purge.id, progress, now)
  })
}

/**
 * Notes, durably, that from now on files may be deleted, and under which reference the work is about to be handed off, if it is.
 * Throws {@link LeaseLostError}.
 */
export async function begin(database: Database, lease: Lease, reference?: string): Promise<void> {
  await database.transaction(async (tx) => {
    const now = await database.now(tx)
    const { numUpdatedRows } = await heldBy(lease, tx)
      .set({
        begun_at: sql<number>`coalesce(begun_at, ${now})`,
        ...(reference !== undefined && { reference }),
      })
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) throw new LeaseLostError(lease.purge.id)
  })
}

/** Whether the lease is still this worker's. */
export async function isHeld(database: Database, lease: Lease): Promise<boolean> {
  const row = await database.reader
    .selectFrom('purges')
    .select(['state', 'lease_epoch', 'lease_owner'])
    .where('id', '=', lease.purge.id)
    .executeTakeFirst()
  return row?.state === 'running' && row.lease_epoch === lease.epoch && row.lease_owner === lease.owner
}

/** Records which purger works on the purge. Throws {@link LeaseLostError}. */
export async function assign(database: Database, lease: Lease, purger: string): Promise<void> {
  await fenced(database, lease, async (tx) => {
    await tx.updateTable('purges').set({ purger }).where('id', '=', lease.purge.id).execute()
  })
}

/** Every path of a stage that is named: those that are the table's own, or the others. */
export async function namedFailures(
  database: Database,
  lease: Lease,
  stage: Stage,
  which?: 'own',
): Promise<string[]> {
  const rows = await database.reader
    .selectFrom('purge_failures')
    .select('path')
    .where('purge_id', '=', lease.purge.id)
    .where('stage', '=', stage)
    .where('own', '=', which === 'own' ? 1 : 0)
    .orderBy('path')
    .execute()
  return rows.map(({ path }) => path)
}

/**
 * Ends the attempt. `succeeded` frees the purge's places, forgets the paths that failed on the way, and writes the
 * certificate, all in one transaction; everything else keeps the places reserved. Throws {@link LeaseLostError}.
 */
export async function finish(
  database: Database,
  lease: Lease,
  end: AttemptEnd,
  progress: Progress,
): Promise<void> {
  await fenced(database, lease, async (tx, row, now) => {
    const { id } = lease.purge
    const isOver = end.state === 'succeeded' || end.state === 'failed'
    const tally =
      end.state === 'succeeded'
        ? { ...progress.tally, counts: addCounts(progress.tally.counts, progress.counts) }
        : progress.tally
    const counts = end.state === 'succeeded' ? {} : progress.counts
    const given = isGivenBack(end, lease) ? 1 : 0
    const isThrottled = end.state === 'pending' && end.throttled === true
    const ended = await tx
      .updateTable('purges')
      .set({
        ...columnsOf({ ...progress, tally, counts }),
        state: end.state,
        updated_at: now,
        finished_at: isOver ? now : null,
        lease_owner: null,
        lease_expires_at: null,
        next_attempt_at: now + (await delayOf(tx, id, end, progress)),
        attempts: row.attempts - given,
        fruitless: fruitlessAfter(end, lease, progress, row.fruitless - given),
        throttled: (progress.fruitful ? 0 : row.throttled) + (isThrottled ? 1 : 0),
        // While an engine works, it stays to be seen what went wrong before.
        ...(end.state !== 'handed_off' && {
          last_error: 'error' in end && end.error !== undefined ? storedText(end.error, 4_000) : null,
        }),
        ...holdAfter(end, row),
        reference: referenceAfter(end, row.reference),
        ...(end.state === 'handed_off' && { begun_at: row.begun_at ?? now }),
      })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
    await nameFailures(tx, id, progress, now)
    if (end.state !== 'succeeded') return
    await appendCertificate(tx, ended, end.evidence, now)
    await tx.deleteFrom('places').where('purge_id', '=', id).execute()
    await tx.deleteFrom('purge_failures').where('purge_id', '=', id).execute()
    await tx.deleteFrom('purge_messages').where('purge_id', '=', id).execute()
  })
}

/** A message that came while the attempt was under way is worth another look at once. */
async function delayOf(tx: Transaction, id: string, end: AttemptEnd, { heard }: Progress): Promise<number> {
  if (end.state === 'handed_off' && heard !== undefined && (await countMessages(tx, id)) > heard) return 0
  return 'delay' in end ? end.delay : 0
}

async function nameFailures(
  tx: Transaction,
  purgeId: string,
  { failures, resolved }: Progress,
  now: number,
): Promise<void> {
  for (const paths of chunks(resolved)) {
    await tx
      .deleteFrom('purge_failures')
      .where('purge_id', '=', purgeId)
      .where('path', 'in', paths.map(storedPath))
      .execute()
  }
  const unique = new Map(failures.map((failure) => [storedPath(failure.path), failure]))
  for (const named of chunks([...unique])) {
    await tx
      .insertInto('purge_failures')
      .values(
        named.map(([path, failure]) => ({
          purge_id: purgeId,
          path,
          stage: failure.stage,
          outcome: failure.outcome,
          code: storedText(failure.code, 200),
          message: storedText(failure.message, 1_000),
          failed_at: now,
          own: failure.own ? 1 : 0,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['purge_id', 'path']).doUpdateSet((row) => ({
          stage: row.ref('excluded.stage'),
          outcome: row.ref('excluded.outcome'),
          code: row.ref('excluded.code'),
          message: row.ref('excluded.message'),
          failed_at: row.ref('excluded.failed_at'),
          // It stays the table's own, whoever tells of it later.
          own: sql<number>`CASE WHEN excluded.own = 1 THEN 1 ELSE purge_failures.own END`,
        })),
      )
      .execute()
  }
}

function chunks<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / rowsPerStatement)
  return Array.from({ length: count }, (_, index) =>
    items.slice(index * rowsPerStatement, (index + 1) * rowsPerStatement),
  )
}

/** Attempts in a row that got nothing erased. Beats have forgotten those before one that only seemed to get something erased. */
function fruitlessAfter(end: AttemptEnd, lease: Lease, { fruitful }: Progress, before: number): number {
  if ('fruitful' in end && end.fruitful === false) return lease.fruitless
  return fruitful ? 0 : Math.max(0, before)
}

/** Whether the attempt does not count. */
function isGivenBack(end: AttemptEnd, { recall }: Lease): boolean {
  if (end.state === 'held') return recall !== undefined
  if (end.state !== 'pending') return end.state === 'handed_off'
  return end.handedBack === true || end.throttled === true
}

/** One that is being recalled stays so until its engine has been told, or until it is over. */
function holdAfter(end: AttemptEnd, row: Selectable<PurgeTable>): Updateable<PurgeTable> {
  if (end.state === 'pending' || end.state === 'handed_off') return {}
  if (end.state !== 'held') return { held_from: null, held_by: null, hold_reason: null }
  return {
    held_from: row.held_from ?? 'pending',
    held_by: row.held_by ?? 'guard',
    hold_reason: storedText(end.reason, 4_000),
  }
}

function referenceAfter(end: AttemptEnd, before: string | null): string | null {
  if (end.state === 'handed_off') return end.reference
  return 'resubmit' in end && end.resubmit ? null : before
}

function columnsOf(progress: Progress) {
  return {
    counts: JSON.stringify(progress.counts),
    tally: JSON.stringify(progress.tally),
    checkpoint: progress.checkpoint === undefined ? null : JSON.stringify(progress.checkpoint),
    expected: progress.expected ?? null,
    ...(progress.fruitful && { fruitless: 0, throttled: 0 }),
  }
}

/** An UPDATE of the purge's row that only the holder of the lease can make. */
function heldBy(lease: Lease, tx: Transaction) {
  return tx
    .updateTable('purges')
    .where('id', '=', lease.purge.id)
    .where('state', '=', 'running')
    .where('lease_epoch', '=', lease.epoch)
    .where('lease_owner', '=', lease.owner)
}

/** Runs writes that only the holder of the lease may do, with the purge's row locked. */
async function fenced<T>(
  database: Database,
  lease: Lease,
  write: (tx: Transaction, row: Selectable<PurgeTable>, now: number) => Promise<T>,
): Promise<T> {
  return await database.transaction(async (tx) => {
    const row = await heldBy(lease, tx).set({ lease_epoch: lease.epoch }).returningAll().executeTakeFirst()
    if (!row) throw new LeaseLostError(lease.purge.id)
    return await write(tx, row, await database.now(tx))
  })
}
