/** The ledger, and what is left of a purge when it is over. */
import type { Generated, GeneratedAlways } from 'kysely'

export type PurgeState =
  | 'retained'
  | 'pending'
  | 'running'
  | 'handed_off'
  | 'held'
  | 'succeeded'
  | 'failed'
  | 'cancelled'

export interface PurgeTable {
  /** UUID. */
  id: string
  state: PurgeState
  kind: 'table' | 'view'
  warehouse: string
  /** Levels joined by U+001F. */
  namespace: string
  name: string
  /** `id` that the dropped entry had. */
  entry_id: string
  uuid: string | null
  metadata_location: string
  metadata_key: string
  /** JSON array of {location, owned}. */
  locations: string
  /** Alias or specifier of the purger. */
  purger: string
  principal: string
  request_id: string
  client: string
  /** Milliseconds since the epoch, by the database's clock, as every `*_at` column. */
  requested_at: number
  updated_at: number
  started_at: number | null
  /** When the first file may have been deleted: from then on the purge cannot be undone. */
  begun_at: number | null
  finished_at: number | null
  /** Not to be claimed before. */
  next_attempt_at: number
  /** Claims, in all. */
  attempts: number
  /** Claims since the last one that got a file erased for good. More than `max_attempts` are not made. */
  fruitless: Generated<number>
  /** Attempts since then that the store asked to wait. */
  throttled: Generated<number>
  max_attempts: number
  /** 0 is ordinary; higher goes first. */
  priority: number
  /** Order of claims, made by the database: the priority, and the highest that there is while `held_by` is set. */
  rank: GeneratedAlways<number>
  /** The state in which the last claim has found it; a lease that ran out changes nothing about it. Null before the first. */
  claimed_from: PurgeState | null
  lease_owner: string | null
  /** Fencing token, grows with every claim. */
  lease_epoch: number
  lease_expires_at: number | null
  /** JSON of OutcomeCounts: what this attempt has dealt with since it last saved. Forgotten at the next claim. */
  counts: string
  /** JSON of Tally: what is done for good, as of `checkpoint`. */
  tally: Generated<string>
  /** JSON; where a resumed attempt goes on. */
  checkpoint: string | null
  /** Files that the reach is expected to have, once it has been looked at; for a progress bar. */
  expected: number | null
  /** 1: the reach cannot be read, and an operator has asked for the owned location to be erased whole. */
  by_location: Generated<number>
  /** What an external engine calls the work that was handed off to it. */
  reference: string | null
  /** Where a held purge returns to. */
  held_from: PurgeState | null
  held_by: 'guard' | 'operator' | null
  hold_reason: string | null
  last_error: string | null
}

export interface PurgeFailureTable {
  purge_id: string
  path: string
  stage: string
  outcome: 'blocked' | 'failed'
  code: string
  message: string
  failed_at: number
  /** 1: the table's own metadata names the path, and another attempt may erase it by its name. 0: an engine has told it. */
  own: Generated<number>
}

/** What an external engine has said of a purge that was handed off to it; gone when the purge is over. */
export interface PurgeMessageTable {
  purge_id: string
  /** Of two messages with one key the first counts. */
  key: string
  /** JSON. */
  body: string
  received_at: number
}

export interface CertificateTable {
  purge_id: string
  warehouse: string
  /** 1 for the first certificate of the warehouse. */
  sequence: number
  /** SHA-256 of `body`, hexadecimal. */
  hash: string
  /** Canonical JSON. */
  body: string
  created_at: number
}

/** The last certificate of each warehouse; its row is locked while the next one is written. */
export interface CertificateHeadTable {
  warehouse: string
  sequence: number
  hash: string | null
}
