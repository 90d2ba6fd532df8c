import type { Generated } from 'kysely'

/** One row while events are recorded. */
export interface EventOutboxTable {
  one: number
  /** Who sends what is recorded, `host:pid`. */
  lease_owner: string | null
  lease_expires_at: number | null
}

/** What has happened and was not sent yet. */
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
}
