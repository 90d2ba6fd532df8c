import type { Generated } from 'kysely'

/** One row while events are recorded. */
export interface EventOutboxTable {
  one: number
  /** The highest position that an event has got. */
  last_position: Generated<number>
}

/** What has happened and was not sent to every sink yet. */
export interface EventTable {
  /** Grows in the order in which the changes were made, by each transaction on its own. */
  sequence: Generated<number>
  /** `table.committed`, `purge.succeeded` … */
  type: string
  warehouse: string
  /** Id of the row that it is about: events of one come in order. */
  subject: string
  occurred_at: number
  /** JSON text. */
  data: string
  /** In the order in which they are sent, without a gap; null until whoever sends has come to it. */
  position: number | null
}

/** A place where events go. */
export interface EventSinkTable {
  name: string
  /** That of the last event that it has. */
  position: number
  /** Who sends to it, `host:pid`. */
  lease_owner: string | null
  lease_expires_at: number | null
}
