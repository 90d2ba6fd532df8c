/**
 * The ledger: one row per purge, the source of truth. Here is what servers and operators do; what the holder of a lease
 * writes is in `leased.ts`. Times are the database's.
 */
import { randomUUID } from 'node:crypto'
import type { Database, Transaction } from '../../database/database.ts'
import { namespacePath } from '../../database/namespace-path.ts'
import { lockPlaces } from '../../database/places.ts'
import { canonicalLocation } from '../../storage/location.ts'
import type { SealedCertificate } from '../certificate/certificate.ts'
import type { PathFailure, PurgeMessage, Stage } from '../purger.ts'
import type { PurgeState } from '../states.ts'
import { findCertificate, listCertificates } from './certificates.ts'
import { type Lease, takeLease } from './claims.ts'
import { allDue, type Due } from './due.ts'
import { deliver } from './messages.ts'
import { cancel, hold, release, retry, undrop } from './operations.ts'
import { prune } from './prune.ts'
import { type PurgeRecord, purgeRecord } from './record.ts'
import { storedText } from './text.ts'
import { inTurn, type Turn } from './turns.ts'

export type { Lease } from './claims.ts'
export type { Due } from './due.ts'
export type { Turn } from './turns.ts'

/** What a drop tells of the entry that it removes. */
export interface DroppedObject {
  readonly entryId: string
  readonly kind: 'table' | 'view'
  readonly warehouse: string
  readonly identifier: { readonly namespace: readonly string[]; readonly name: string }
  readonly uuid: string | undefined
  readonly metadataLocation: string
  /** Rows of `places`; they move from the entry to the purge. The current location first. */
  readonly places: readonly { readonly id: string; readonly location: string; readonly owned: boolean }[]
}

/** Who asked. */
export interface PurgeOrigin {
  readonly principal: string
  readonly requestId: string
  readonly client: string
}

/** How a purge is to be worked on. */
export interface PurgeTerms {
  /** Alias or specifier of the purger. */
  readonly purger: string
  readonly maxAttempts: number
  /** Milliseconds in which the drop can be undone. @default 0 */
  readonly retention?: number
  /** Milliseconds that the engine leaves to a server whose DELETE does the work itself. @default 0 */
  readonly delay?: number
  /** 0 is ordinary; higher goes first. @default 0 */
  readonly priority?: number
}

export interface Claims {
  readonly leases: readonly Lease[]
  /** Purges that are held or failed now, instead. */
  readonly settled: number
}

export class Ledger {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /**
   * Records a purge in the transaction that drops the entry, and makes the entry's places its own: there is no moment in
   * which the files belong to nobody. `retained` where the drop can be undone, else `pending`.
   */
  async record(
    tx: Transaction,
    dropped: DroppedObject,
    origin: PurgeOrigin,
    terms: PurgeTerms,
  ): Promise<string> {
    const id = randomUUID()
    const now = await this.#database.now(tx)
    const { retention = 0, delay = 0 } = terms
    const locations = dropped.places.map(({ location, owned }) => ({ location, owned }))
    await tx
      .insertInto('purges')
      .values({
        id,
        state: retention > 0 ? 'retained' : 'pending',
        kind: dropped.kind,
        warehouse: dropped.warehouse,
        namespace: namespacePath(dropped.identifier.namespace),
        name: dropped.identifier.name,
        entry_id: dropped.entryId,
        uuid: dropped.uuid ?? null,
        metadata_location: dropped.metadataLocation,
        metadata_key: canonicalLocation(dropped.metadataLocation),
        locations: JSON.stringify(locations),
        purger: terms.purger,
        principal: origin.principal,
        request_id: origin.requestId,
        client: storedText(origin.client, 200),
        requested_at: now,
        updated_at: now,
        next_attempt_at: now + Math.max(retention, delay),
        attempts: 0,
        max_attempts: terms.maxAttempts,
        priority: terms.priority ?? 0,
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
    return await this.#database.transaction(async (tx) => {
      await lockPlaces(tx, 'shared')
      const now = await this.#database.now(tx)
      const lease = await takeLease(tx, id, { owner, leaseTime, now })
      return typeof lease === 'object' ? lease : undefined
    })
  }

  /**
   * Takes the leases of purges that are due, in one transaction, in the order of `turns.ts`. At most so many, those that are
   * settled included: a backlog that the guard is to hold takes several claims, and requests come in between.
   */
  async claimDue(turns: readonly Turn[], owner: string, limit: number): Promise<Claims> {
    return await this.#database.transaction(async (tx) => {
      await lockPlaces(tx, 'shared')
      const now = await this.#database.now(tx)
      const leases: Lease[] = []
      let settled = 0
      if (limit <= 0) return { leases, settled }
      for await (const { turn, id } of inTurn(tx, turns, now)) {
        const lease = await takeLease(tx, id, { owner, leaseTime: turn.leaseTime, now })
        if (typeof lease === 'object') leases.push(lease)
        else settled++
        if (leases.length + settled === limit) break
      }
      return { leases, settled }
    })
  }

  /** Where purges wait for a worker, of all warehouses. */
  async due(): Promise<Due[]> {
    const { reader } = this.#database
    return await allDue(reader, await this.#database.now(reader))
  }

  /**
   * Stops a purge before its next batch. Gives its state; undefined when there is none. Throws PurgeStateError, as the
   * other operations do, when it is in none in which that can be done.
   */
  async hold(id: string, reason: string): Promise<PurgeState | undefined> {
    return await hold(this.#database, id, reason)
  }

  /** Lets a held purge go on where it was; the guard looks at it again. */
  async release(id: string): Promise<PurgeState | undefined> {
    return await release(this.#database, id)
  }

  /** Has a failed purge tried again; with `byLocation`, by erasing its owned locations whole. */
  async retry(id: string, options: { readonly byLocation?: boolean } = {}): Promise<PurgeState | undefined> {
    return await retry(this.#database, id, options.byLocation ?? false)
  }

  /** Gives the files up without erasing any, as long as none was. */
  async cancel(id: string): Promise<PurgeState | undefined> {
    return await cancel(this.#database, id)
  }

  /** Ends a purge in the transaction that makes its table's entry again, as long as no file was erased. */
  async undrop(tx: Transaction, id: string): Promise<PurgeState | undefined> {
    return await undrop(tx, this.#database, id)
  }

  /**
   * Removes purges of a warehouse that ended longer ago than `age` milliseconds, a bounded number, and gives it: where that is
   * `prunedAtATime`, there may be more. Failed ones stay, and so do the certificates.
   */
  async prune(warehouse: string, age: number): Promise<number> {
    return await this.#database.transaction(async (tx) => {
      const now = await this.#database.now(tx)
      return await prune(tx, warehouse, now - age)
    })
  }

  /** Keeps what an external engine says of a purge: see {@link deliver}. */
  async deliver(
    id: string,
    messages: readonly PurgeMessage[],
    isAwaited?: (checkpoint: unknown) => boolean,
  ): Promise<boolean> {
    return await deliver(this.#database, id, messages, isAwaited)
  }

  async get(id: string): Promise<PurgeRecord | undefined> {
    // It may come from a URL, and PostgreSQL takes no such text.
    if (id.includes('\0')) return undefined
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

  /** The certificate of a purge that is over. */
  async certificate(id: string): Promise<SealedCertificate | undefined> {
    return await findCertificate(this.#database, id)
  }

  /** Certificates of a warehouse, those after a sequence number, in order. */
  async certificates(warehouse: string, after = 0, limit = 1_000): Promise<SealedCertificate[]> {
    return await listCertificates(this.#database, warehouse, after, limit)
  }
}
