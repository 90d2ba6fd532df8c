/** What operators do to a purge. Each is one event of the table in `states.ts`, with the purge's row locked. */
import type { Selectable, Updateable } from 'kysely'
import type { Database, Transaction } from '../../database/database.ts'
import { dialectOf } from '../../database/dialect.ts'
import type { PurgeTable } from '../../database/schema/purges.ts'
import { originOf, type PurgeEvent, type PurgeState, statesWith, transitions } from '../states.ts'
import { appendCertificate } from './certificates.ts'
import { storedText } from './text.ts'

type Row = Selectable<PurgeTable>

/** The purge is not in a state in which this can be done. The message says which it is, and what can. */
export class PurgeStateError extends Error {
  override readonly name = 'PurgeStateError'
}

/**
 * Stops a purge: nothing more is erased after the batches in flight. What holds it already stays its reason. One that an
 * engine elsewhere works on is `handed_off` until that has been told to stop, by a worker, at once. An attempt that is cut
 * off by it does not count.
 */
export async function hold(database: Database, id: string, reason: string): Promise<PurgeState | undefined> {
  return await operate(database, id, holdOrRecall, async (_tx, row, now) => ({
    ...(isAtWork(row, now) && { attempts: row.attempts - 1, fruitless: Math.max(0, row.fruitless - 1) }),
    ...(row.reference === null
      ? { state: 'held' }
      : { state: 'handed_off', next_attempt_at: now, fruitless: 0, throttled: 0 }),
    // Asked for twice before the engine was told, it was held from where it was first.
    held_from: row.held_from ?? row.state,
    held_by: 'operator',
    hold_reason: storedText(reason, 4_000),
    // Whoever works on it has lost its lease.
    lease_epoch: row.lease_epoch + 1,
    lease_owner: null,
    lease_expires_at: null,
    finished_at: null,
  }))
}

/** Its worker lives, as far as is known. */
function isAtWork({ state, lease_expires_at }: Row, now: number): boolean {
  return state === 'running' && lease_expires_at !== null && lease_expires_at >= now
}

function holdOrRecall({ reference }: Row): PurgeEvent {
  return reference === null ? 'hold' : 'recall'
}

/** Lets a held purge go on where it was. The guard looks at it again. */
export async function release(database: Database, id: string): Promise<PurgeState | undefined> {
  return await operate(database, id, 'release', async (_tx, row, now) => {
    const state = originOf(row.held_from ?? 'pending')
    return {
      state,
      held_from: null,
      held_by: null,
      hold_reason: null,
      finished_at: state === 'failed' ? now : null,
    }
  })
}

/**
 * Has a failed purge tried again, with as many attempts as a new one.
 *
 * @param byLocation the reach cannot be read any more: erase the owned locations whole.
 */
export async function retry(
  database: Database,
  id: string,
  byLocation: boolean,
): Promise<PurgeState | undefined> {
  return await operate(database, id, 'retry', async (_tx, _row, now) => ({
    state: 'pending',
    fruitless: 0,
    throttled: 0,
    next_attempt_at: now,
    finished_at: null,
    by_location: byLocation ? 1 : 0,
  }))
}

/** Gives the files up: nothing is erased, the places are free. Refused once a file may have been deleted. */
export async function cancel(database: Database, id: string): Promise<PurgeState | undefined> {
  return await operate(database, id, 'cancel', async (tx, row, now) => {
    refuseBegun(row, 'cancelled')
    await tx.deleteFrom('places').where('purge_id', '=', id).execute()
    return await cancelled(tx, row, now)
  })
}

/**
 * Ends a purge because its table comes back: the places are the entry's again. In the transaction that makes the entry.
 * Throws {@link PurgeStateError} once a file may have been deleted.
 */
export async function undrop(
  tx: Transaction,
  database: Database,
  id: string,
): Promise<PurgeState | undefined> {
  return await apply(tx, database, id, 'undrop', async (inner, row, now) => {
    refuseBegun(row, 'undone')
    await inner
      .updateTable('places')
      .set({ purge_id: null, entry_id: row.entry_id })
      .where('purge_id', '=', id)
      .execute()
    return await cancelled(inner, row, now)
  })
}

async function cancelled(tx: Transaction, row: Row, now: number): Promise<Updateable<PurgeTable>> {
  const change = { state: 'cancelled', held_from: null, held_by: null, finished_at: now } as const
  await appendCertificate(
    tx,
    { ...row, ...change, updated_at: now },
    { paths: null, verification: [], store: {} },
    now,
  )
  return change
}

function refuseBegun(row: Row, what: string): void {
  if (row.begun_at === null) return
  throw new PurgeStateError(
    `Purge ${row.id} has begun to erase files and cannot be ${what} any more. It can be held, and it can be left to finish.`,
  )
}

async function operate(
  database: Database,
  id: string,
  event: PurgeEvent | ((row: Row) => PurgeEvent),
  change: (tx: Transaction, row: Row, now: number) => Promise<Updateable<PurgeTable>>,
): Promise<PurgeState | undefined> {
  return await database.transaction((tx) => apply(tx, database, id, event, change))
}

/** Undefined when there is no such purge. Throws {@link PurgeStateError} when the table has no way for the event. */
async function apply(
  tx: Transaction,
  database: Database,
  id: string,
  given: PurgeEvent | ((row: Row) => PurgeEvent),
  change: (tx: Transaction, row: Row, now: number) => Promise<Updateable<PurgeTable>>,
): Promise<PurgeState | undefined> {
  const row = await tx
    .selectFrom('purges')
    .selectAll()
    .where('id', '=', id)
    .$if(dialectOf(tx) === 'postgres', (query) => query.forUpdate())
    .executeTakeFirst()
  if (!row) return undefined
  const event = typeof given === 'function' ? given(row) : given
  if (transitions[row.state][event] === undefined) {
    throw new PurgeStateError(
      `Purge ${id} is ${row.state}; ${event} is for purges that are ${statesWith(event).join(', ')}.`,
    )
  }
  const now = await database.now(tx)
  const changed = { ...(await change(tx, row, now)), updated_at: now }
  const { state } = await tx
    .updateTable('purges')
    .set(changed)
    .where('id', '=', id)
    .returning('state')
    .executeTakeFirstOrThrow()
  return state
}
