/** The events that were recorded and not sent: who may send them, which are next, and that they were. */
import type { Database } from '../database/database.ts'
import { type CloudEvent, cloudEvent } from './event.ts'

/** Has changes recorded as events from now on, or no longer; then what was not sent is forgotten. */
export async function recordEvents(database: Database, wanted: boolean): Promise<void> {
  const isRecording = await database.reader.selectFrom('event_outbox').select('one').executeTakeFirst()
  if ((isRecording !== undefined) === wanted) return
  await database.transaction(async (tx) => {
    if (wanted) {
      const row = { one: 1, lease_owner: null, lease_expires_at: null }
      await tx
        .insertInto('event_outbox')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    } else {
      await tx.deleteFrom('event_outbox').execute()
      await tx.deleteFrom('events').execute()
    }
  })
}

export class EventOutbox {
  readonly #database: Database
  readonly #owner: string

  /** @param owner `host:pid` */
  constructor(database: Database, owner: string) {
    this.#database = database
    this.#owner = owner
  }

  /**
   * Takes or renews the lease of sending, so that events of one subject are sent in order, by one server.
   *
   * @param leaseTime milliseconds.
   */
  async acquire(leaseTime: number): Promise<boolean> {
    return await this.#database.transaction(async (tx) => {
      const now = await this.#database.now(tx)
      const { numUpdatedRows } = await tx
        .updateTable('event_outbox')
        .set({ lease_owner: this.#owner, lease_expires_at: now + leaseTime })
        .where((where) =>
          where.or([
            where('lease_owner', 'is', null),
            where('lease_owner', '=', this.#owner),
            where('lease_expires_at', '<', now),
          ]),
        )
        .executeTakeFirst()
      return numUpdatedRows === 1n
    })
  }

  /** Lets another server send. */
  async release(): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await tx
        .updateTable('event_outbox')
        .set({ lease_owner: null, lease_expires_at: null })
        .where('lease_owner', '=', this.#owner)
        .execute()
    })
  }

  async isEmpty(): Promise<boolean> {
    const row = await this.#database.reader
      .selectFrom('events')
      .select('sequence')
      .limit(1)
      .executeTakeFirst()
    return row === undefined
  }

  /** The oldest events, in order. */
  async next(limit: number): Promise<CloudEvent[]> {
    const rows = await this.#database.reader
      .selectFrom('events')
      .selectAll()
      .orderBy('sequence')
      .limit(limit)
      .execute()
    return rows.map(cloudEvent)
  }

  /** Forgets events that were sent. */
  async sent(events: readonly CloudEvent[]): Promise<void> {
    const sequences = events.map(({ id }) => Number(id))
    await this.#database.transaction(async (tx) => {
      await tx.deleteFrom('events').where('sequence', 'in', sequences).execute()
    })
  }
}
