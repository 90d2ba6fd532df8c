/**
 * The ledger: one row per purge, the source of truth. Every write of a worker carries the epoch of its lease, so that
 * one that was declared dead changes nothing any more. Times are the database's.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Database, Transaction } from '../database/database.ts'
import { namespacePath } from '../database/namespace-path.ts'
import { lockPlaces } from '../database/places.ts'
import { canonicalLocation } from '../storage/location.ts'
import { type Lease, nextDue, takeLease } from './claims.ts'
import { addCounts } from './counts.ts'
import type { OutcomeCounts, PathFailure, Stage } from './purger.ts'
import { type PurgeRecord, purgeRecord } from './record.ts'

export type { Lease } from './claims.ts'

/** Failures that are named per purge; all are counted. */
const maxFailures = 10_000

/** UTF-8 bytes of a named path; an index of PostgreSQL takes rows of 2,700 bytes. Keys of S3 have 1,024 at most. */
const maxPathBytes = 2_400

/** What a drop tells of the entry that it removes. */
export interface DroppedObject {
  readonly entryId: string
  readonly kind: 'table' | 'view'
  readonly warehouse: string
  readonly identifier: { readonly namespace: readonly string[]; readonly name: string }
  readonly uuid: string | undefined
  readonly metadataLocation: string
  /** Rows of `places`; they move from the entry to the purge. */
  readonly places: readonly { readonly id: string; readonly location: string; readonly owned: boolean }[]
}

/** Who asked. */
export interface PurgeOrigin {
  readonly principal: string
  readonly requestId: string
  readonly client: string
}

/** How an attempt ended. `pending`: to be tried again after `delay` milliseconds. */
export type AttemptEnd =
  | { readonly state: 'succeeded' }
  | { readonly state: 'failed'; readonly error: string }
  | { readonly state: 'held'; readonly reason: string }
  | {
      readonly state: 'pending'
      readonly delay: number
      readonly error?: string
      /** The server stops: the attempt does not count. */
      readonly handedBack?: boolean
    }

/** The lease has run out and somebody else may have the purge: stop, and write nothing more. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
  constructor(id: string) {
    super(`The lease of purge ${id} is lost.`)
  }
}

export class Ledger {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /**
   * Records a purge as `pending`, in the transaction that drops the entry, and makes the entry's places its own: there
   * is no moment in which the files belong to nobody.
   */
  async record(
    tx: Transaction,
    dropped: DroppedObject,
    origin: PurgeOrigin,
    options: { readonly purger: string; readonly maxAttempts: number },
  ): Promise<string> {
    const id = randomUUID()
    const now = await this.#database.now(tx)
    const locations = dropped.places.map(({ location, owned }) => ({ location, owned }))
    await tx
      .insertInto('purges')
      .values({
        id,
        state: 'pending',
        kind: dropped.kind,
        warehouse: dropped.warehouse,
        namespace: namespacePath(dropped.identifier.namespace),
        name: dropped.identifier.name,
        entry_id: dropped.entryId,
        uuid: dropped.uuid ?? null,
        metadata_location: dropped.metadataLocation,
        metadata_key: canonicalLocation(dropped.metadataLocation),
        locations: JSON.stringify(locations),
        purger: options.purger,
        principal: origin.principal,
        request_id: origin.requestId,
        client: storedText(origin.client, 200),
        requested_at: now,
        updated_at: now,
        next_attempt_at: now,
        attempts: 0,
        max_attempts: options.maxAttempts,
        priority: 0,
        lease_epoch: 0,
        counts: '{}',
      })
      .execute()
    const placeIds = dropped.places.map((place) => place.id)
    if (placeIds.length > 0) {
      await tx
        .updateTable('places')
        .set({ purge_id: id, entry_id: null })
        .where('id', 'in', placeIds)
        .execute()
    }
    return id
  }

  /**
   * Takes the lease of a pending purge, for a `DELETE` that waits. Undefined when it is not to be had, or the guard
   * holds it.
   *
   * @param leaseTime milliseconds.
   */
  async claim(id: string, owner: string, leaseTime: number): Promise<Lease | undefined> {
    const claimed = await this.#database.transaction(async (tx) => {
      await lockPlaces(tx, 'shared')
      return await takeLease(tx, id, { owner, leaseTime, now: await this.#database.now(tx) })
    })
    return typeof claimed === 'object' ? claimed : undefined
  }

  /**
   * Takes the lease of the next purge of a warehouse that is due: pending, or running with a lease that has run out.
   * `settled`: one was due, but is now held or failed instead. Undefined: nothing is due.
   *
   * @param leaseTime milliseconds.
   */
  async claimNext(
    warehouse: string,
    owner: string,
    leaseTime: number,
  ): Promise<Lease | 'settled' | undefined> {
    return await this.#database.transaction(async (tx) => {
      await lockPlaces(tx, 'shared')
      const now = await this.#database.now(tx)
      const id = await nextDue(tx, warehouse, now)
      return id === undefined ? undefined : await takeLease(tx, id, { owner, leaseTime, now })
    })
  }

  /**
   * Asks for a failed purge to be tried again, with as many attempts as a new one. False when it is not failed.
   */
  async retry(id: string): Promise<boolean> {
    return await this.#database.transaction(async (tx) => {
      const now = await this.#database.now(tx)
      const { numUpdatedRows } = await tx
        .updateTable('purges')
        .set({ state: 'pending', attempts: 0, next_attempt_at: now, finished_at: null, updated_at: now })
        .where('id', '=', id)
        .where('state', '=', 'failed')
        .executeTakeFirst()
      return numUpdatedRows === 1n
    })
  }

  /** Renews the lease and adds to the counters. Throws {@link LeaseLostError}. */
  async beat(lease: Lease, leaseTime: number, counts: OutcomeCounts): Promise<void> {
    await this.#fenced(lease, async (tx, row) => {
      const now = await this.#database.now(tx)
      await tx
        .updateTable('purges')
        .set({
          lease_expires_at: now + leaseTime,
          updated_at: now,
          counts: JSON.stringify(addCounts(JSON.parse(row.counts) as OutcomeCounts, counts)),
        })
        .where('id', '=', lease.purge.id)
        .execute()
    })
  }

  /** Notes that a stage has begun. Throws {@link LeaseLostError}. */
  async begin(lease: Lease, stage: Stage): Promise<void> {
    await this.#fenced(lease, async (tx) => {
      await tx
        .updateTable('purges')
        .set({ checkpoint: JSON.stringify({ stage }), updated_at: await this.#database.now(tx) })
        .where('id', '=', lease.purge.id)
        .execute()
    })
  }

  /** Names paths that could not be erased; of a path that is named already, the latest news. */
  async reportFailures(lease: Lease, failures: readonly PathFailure[]): Promise<void> {
    await this.#fenced(lease, async (tx) => {
      const now = await this.#database.now(tx)
      const { count } = await tx
        .selectFrom('purge_failures')
        .select((select) => select.fn.countAll<number>().as('count'))
        .where('purge_id', '=', lease.purge.id)
        .executeTakeFirstOrThrow()
      const unique = new Map(failures.map((failure) => [storedPath(failure.path), failure]))
      for (const [path, failure] of [...unique].slice(0, Math.max(0, maxFailures - count))) {
        const values = {
          stage: failure.stage,
          outcome: failure.outcome,
          code: storedText(failure.code, 200),
          message: storedText(failure.message, 1_000),
          failed_at: now,
        }
        await tx
          .insertInto('purge_failures')
          .values({ purge_id: lease.purge.id, path, ...values })
          .onConflict((conflict) => conflict.columns(['purge_id', 'path']).doUpdateSet(values))
          .execute()
      }
    })
  }

  /**
   * Ends the attempt. `succeeded` frees the purge's places and forgets the paths that failed on the way; everything else
   * keeps them reserved. Throws {@link LeaseLostError}.
   */
  async finish(lease: Lease, end: AttemptEnd, counts: OutcomeCounts): Promise<void> {
    await this.#fenced(lease, async (tx, row) => {
      const now = await this.#database.now(tx)
      const { id } = lease.purge
      const isOver = end.state === 'succeeded' || end.state === 'failed'
      await tx
        .updateTable('purges')
        .set((where) => ({
          state: end.state,
          updated_at: now,
          finished_at: isOver ? now : null,
          lease_owner: null,
          lease_expires_at: null,
          next_attempt_at: end.state === 'pending' ? now + end.delay : now,
          attempts:
            end.state === 'pending' && end.handedBack ? where('attempts', '-', 1) : where.ref('attempts'),
          counts: JSON.stringify(addCounts(JSON.parse(row.counts) as OutcomeCounts, counts)),
          last_error: 'error' in end && end.error !== undefined ? storedText(end.error, 4_000) : null,
          held_from: end.state === 'held' ? 'pending' : null,
          hold_reason: end.state === 'held' ? storedText(end.reason, 4_000) : null,
        }))
        .where('id', '=', id)
        .execute()
      if (end.state !== 'succeeded') return
      await tx.deleteFrom('places').where('purge_id', '=', id).execute()
      await tx.deleteFrom('purge_failures').where('purge_id', '=', id).execute()
    })
  }

  /**
   * Purges for which a `DELETE` waited when its server died become `failed`, so that they are seen and can be tried
   * again; their places stay reserved. Gives their ids. (Where nobody waits, the engine takes them up.)
   */
  async recoverAbandoned(purger = 'synchronous'): Promise<string[]> {
    return await this.#database.transaction(async (tx) => {
      const now = await this.#database.now(tx)
      const rows = await tx
        .updateTable('purges')
        .set((where) => ({
          state: 'failed',
          finished_at: now,
          updated_at: now,
          lease_owner: null,
          lease_expires_at: null,
          lease_epoch: where('lease_epoch', '+', 1),
          last_error: 'The server that was erasing the files stopped before it was done.',
        }))
        .where('state', '=', 'running')
        .where('purger', '=', purger)
        .where('lease_expires_at', '<', now)
        .returning('id')
        .execute()
      return rows.map(({ id }) => id)
    })
  }

  async get(id: string): Promise<PurgeRecord | undefined> {
    const row = await this.#database.reader
      .selectFrom('purges')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
    return row && purgeRecord(row)
  }

  /** The latest purges first. */
  async list(limit = 100): Promise<PurgeRecord[]> {
    const rows = await this.#database.reader
      .selectFrom('purges')
      .selectAll()
      .orderBy('requested_at', 'desc')
      .orderBy('id')
      .limit(limit)
      .execute()
    return rows.map(purgeRecord)
  }

  /** Paths that could not be erased, in their order. */
  async failures(id: string, limit = 100): Promise<PathFailure[]> {
    const rows = await this.#database.reader
      .selectFrom('purge_failures')
      .select(['path', 'stage', 'outcome', 'code', 'message'])
      .where('purge_id', '=', id)
      .orderBy('path')
      .limit(limit)
      .execute()
    return rows.map((row) => ({ ...row, stage: row.stage as Stage }))
  }

  /** Runs a write that only the holder of the lease may do. */
  async #fenced(
    lease: Lease,
    write: (tx: Transaction, row: { readonly counts: string }) => Promise<void>,
  ): Promise<void> {
    await this.#database.transaction(async (tx) => {
      // Touching the row locks it on PostgreSQL until the write is done.
      const row = await tx
        .updateTable('purges')
        .set({ lease_epoch: lease.epoch })
        .where('id', '=', lease.purge.id)
        .where('state', '=', 'running')
        .where('lease_epoch', '=', lease.epoch)
        .where('lease_owner', '=', lease.owner)
        .returning('counts')
        .executeTakeFirst()
      if (!row) throw new LeaseLostError(lease.purge.id)
      await write(tx, row)
    })
  }
}

/** Text that a column can hold: PostgreSQL knows no NUL, and what comes from manifests may be of any length. */
function storedText(text: string, maxLength: number): string {
  return text.replaceAll('\0', '\ufffd').slice(0, maxLength)
}

/** A path as part of a key: one that is longer than any store allows is cut, and told apart by its hash. */
function storedPath(path: string): string {
  if (Buffer.byteLength(path) <= maxPathBytes && !path.includes('\0')) return path
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 32)
  return `${storedText(path, maxPathBytes / 4)}… (${hash})`
}
