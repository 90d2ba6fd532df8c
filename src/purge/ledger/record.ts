import type { Selectable } from 'kysely'
import { namespaceLevels } from '../../database/namespace-path.ts'
import type { PurgeState, PurgeTable } from '../../database/schema/purges.ts'
import type { OutcomeCounts, Purge, PurgeLocation } from '../purger.ts'
import { addCounts, parseTally } from '../tally.ts'

/** A row of the ledger. Times are milliseconds since the epoch, by the database's clock. */
export interface PurgeRecord {
  readonly purge: Purge
  /** `id` of the entry that was dropped. */
  readonly entryId: string
  readonly state: PurgeState
  readonly purger: string
  readonly priority: number
  readonly attempts: number
  readonly maxAttempts: number
  /** Paths dealt with so far, the present attempt's included. */
  readonly counts: OutcomeCounts
  /** Bytes of those that are done for good, as far as the table's metadata states them. */
  readonly bytes: OutcomeCounts
  /** Files that the reach is expected to have; undefined before it has been looked at. */
  readonly expected: number | undefined
  readonly updatedAt: number
  readonly startedAt: number | undefined
  /** When the first file may have been deleted. */
  readonly begunAt: number | undefined
  readonly finishedAt: number | undefined
  /** When it may be claimed: the end of the retention, or of the wait before another attempt. */
  readonly nextAttemptAt: number
  readonly holdReason: string | undefined
  readonly heldBy: 'guard' | 'operator' | undefined
  readonly lastError: string | undefined
  readonly reference: string | undefined
}

export function purgeRecord(row: Selectable<PurgeTable>): PurgeRecord {
  const tally = parseTally(row.tally)
  return {
    purge: purgeOf(row),
    entryId: row.entry_id,
    state: row.state,
    purger: row.purger,
    priority: row.priority,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    counts: addCounts(tally.counts, JSON.parse(row.counts) as OutcomeCounts),
    bytes: tally.bytes,
    expected: row.expected ?? undefined,
    updatedAt: row.updated_at,
    startedAt: row.started_at ?? undefined,
    begunAt: row.begun_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
    nextAttemptAt: row.next_attempt_at,
    holdReason: row.hold_reason ?? undefined,
    heldBy: row.held_by ?? undefined,
    lastError: row.last_error ?? undefined,
    reference: row.reference ?? undefined,
  }
}

export function purgeOf(row: Selectable<PurgeTable>): Purge {
  return {
    id: row.id,
    kind: row.kind,
    warehouse: row.warehouse,
    namespace: namespaceLevels(row.namespace),
    name: row.name,
    uuid: row.uuid ?? undefined,
    metadataLocation: row.metadata_location,
    locations: JSON.parse(row.locations) as PurgeLocation[],
    request: {
      principal: row.principal,
      requestId: row.request_id,
      client: row.client,
      requestedAt: row.requested_at,
    },
  }
}
