import type { Database } from '../database/database.ts'
import { type CloudEvent, cloudEvent } from './event.ts'
import { arrange, forgetSent, isAnyWithoutPosition } from './outbox.ts'

/** Events that a sink is to get next. */
export interface Portion {
  /** At least one. */
  readonly events: readonly CloudEvent[]
  /** Of the last one. */
  readonly position: number
}

/** What one sink has still to get: who may send it, what is next, and that it was sent. */
export class EventFeed {
  readonly #database: Database
  readonly #sink: string
  readonly #owner: string

  /**
   * @param sink its name; it is known by `recordEvents`.
   * @param owner `host:pid`
   */
  constructor(database: Database, sink: string, owner: string) {
    this.#database = database
    this.#sink = sink
    this.#owner = owner
  }

  /** Whether there is anything to be sent. Writes nothing. */
  async isWaiting(): Promise<boolean> {
    const row = await this.#database.reader
      .selectFrom('event_sinks')
      .innerJoin('event_outbox', (join) => join.onTrue())
      .select(['event_sinks.position', 'event_outbox.last_position'])
      .where('event_sinks.name', '=', this.#sink)
      .executeTakeFirst()
    if (!row) return false
    return row.last_position > row.position || (await isAnyWithoutPosition(this.#database))
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
        .updateTable('event_sinks')
        .set({ lease_owner: this.#owner, lease_expires_at: now + leaseTime })
        .where('name', '=', this.#sink)
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
        .updateTable('event_sinks')
        .set({ lease_owner: null, lease_expires_at: null })
        .where('name', '=', this.#sink)
        .where('lease_owner', '=', this.#owner)
        .execute()
    })
  }

  /** The next events, in order; undefined when there are none. */
  async next(limit: number): Promise<Portion | undefined> {
    await arrange(this.#database)
    const rows = await this.#database.reader
      .selectFrom('events')
      .selectAll()
      .where('position', '>', (query) =>
        query.selectFrom('event_sinks').select('position').where('name', '=', this.#sink),
      )
      .orderBy('position')
      .limit(limit)
      .execute()
    const position = rows.at(-1)?.position
    return position == null ? undefined : { events: rows.map(cloudEvent), position }
  }

  /** The sink has everything up to this position. Nothing changes when the lease is lost: who has it sends that again. */
  async advance(position: number): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await tx
        .updateTable('event_sinks')
        .set({ position })
        .where('name', '=', this.#sink)
        .where('lease_owner', '=', this.#owner)
        .where('position', '<', position)
        .execute()
    })
    await forgetSent(this.#database)
  }
}
