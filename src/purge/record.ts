import type { Selectable } from 'kysely'
import { namespaceLevels } from '../database/namespace-path.ts'
import type { PurgeState, PurgeTable } from '../database/schema/purges.ts'
import { type OutcomeCounts, type Purge, type PurgeLocation, type Stage, stages } from './purger.ts'

/** A row of the ledger. Times are milliseconds since the epoch, by the database's clock. */
export interface PurgeRecord {
  readonly purge: Purge
  readonly state: PurgeState
  readonly purger: string
  readonly attempts: number
  readonly counts: OutcomeCounts
  readonly updatedAt: number
  readonly startedAt: number | undefined
  readonly finishedAt: number | undefined
  readonly holdReason: string | undefined
  readonly lastError: string | undefined
}

export function purgeRecord(row: Selectable<PurgeTable>): PurgeRecord {
  return {
    purge: purgeOf(row),
    state: row.state,
    purger: row.purger,
    attempts: row.attempts,
    counts: JSON.parse(row.counts) as OutcomeCounts,
    updatedAt: row.updated_at,
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
    holdReason: row.hold_reason ?? undefined,
    lastError: row.last_error ?? undefined,
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

/** The stage that had begun, as the row's checkpoint has it. */
export function stageOf(row: Selectable<PurgeTable>): Stage {
  const checkpoint = row.checkpoint === null ? {} : (JSON.parse(row.checkpoint) as { stage?: Stage })
  return checkpoint.stage !== undefined && stages.includes(checkpoint.stage) ? checkpoint.stage : 'data'
}
