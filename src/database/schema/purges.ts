/** The ledger. */

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
  finished_at: number | null
  /** Not to be claimed before. */
  next_attempt_at: number
  attempts: number
  max_attempts: number
  /** 0 is ordinary; higher goes first. */
  priority: number
  lease_owner: string | null
  /** Fencing token, grows with every claim. */
  lease_epoch: number
  lease_expires_at: number | null
  /** JSON of {@link OutcomeCounts}. */
  counts: string
  /** JSON; what a resumed attempt need not do again. */
  checkpoint: string | null
  /** What an external engine calls the work that was handed off to it. */
  reference: string | null
  /** Where a held purge returns to. */
  held_from: PurgeState | null
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
}
