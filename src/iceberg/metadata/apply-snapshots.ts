import { badRequest, IcebergError } from '../errors.ts'
import type { Draft } from './draft.ts'
import { mainBranch, type Snapshot, type SnapshotLogEntry, type SnapshotRef } from './model.ts'
import { sameRef } from './snapshot.ts'
import type { TableUpdate } from './updates.ts'

type SnapshotUpdate = Extract<
  TableUpdate,
  { action: 'add-snapshot' | 'set-snapshot-ref' | 'remove-snapshot-ref' | 'remove-snapshots' }
>

/** Snapshots, and the branches and tags that keep them. */
export function applySnapshots(draft: Draft, update: SnapshotUpdate, now: bigint): void {
  switch (update.action) {
    case 'add-snapshot':
      addSnapshot(draft, update.snapshot)
      return
    case 'set-snapshot-ref':
      setRef(draft, update.refName, update.ref, now)
      return
    case 'remove-snapshot-ref':
      removeRef(draft, update.refName)
      return
    case 'remove-snapshots':
      removeSnapshots(draft, update.snapshotIds)
      return
  }
}

function addSnapshot(draft: Draft, snapshot: Snapshot): void {
  const { snapshotId, sequenceNumber, parentSnapshotId } = snapshot
  if (draft.schemas.length === 0) throw badRequest('Attempting to add a snapshot before a schema is added')
  if (draft.partitionSpecs.length === 0) {
    throw badRequest('Attempting to add a snapshot before a partition spec is added')
  }
  if (draft.sortOrders.length === 0)
    throw badRequest('Attempting to add a snapshot before a sort order is added')
  if (draft.snapshot(snapshotId)) throw badRequest(`Snapshot already exists for id: ${snapshotId}`)
  if (draft.formatVersion === 1 && sequenceNumber !== 0n) {
    throw badRequest(`Sequence number must be 0 in v1: ${sequenceNumber}`)
  }
  if (
    draft.formatVersion > 1 &&
    parentSnapshotId !== undefined &&
    sequenceNumber <= draft.lastSequenceNumber
  ) {
    throw retryable(
      `Cannot add snapshot with sequence number ${sequenceNumber} older than last sequence number ${draft.lastSequenceNumber}`,
    )
  }
  if (draft.formatVersion >= 3) assignRows(draft, snapshot)
  if (draft.formatVersion > 1 && sequenceNumber > draft.lastSequenceNumber) {
    draft.lastSequenceNumber = sequenceNumber
  }
  draft.addSnapshot(snapshot)
  draft.addedSnapshotIds.add(snapshotId)
  draft.changed = true
}

/** https://iceberg.apache.org/spec/#row-lineage */
function assignRows(draft: Draft, { firstRowId, addedRows }: Snapshot): void {
  if (firstRowId === undefined) throw badRequest('Cannot add a snapshot: first-row-id is null')
  if (addedRows === undefined || addedRows < 0n) {
    throw badRequest('Cannot add a snapshot: added-rows must be a number of rows from 0')
  }
  if (firstRowId < draft.nextRowId) {
    throw retryable(
      `Cannot add a snapshot, first-row-id is behind table next-row-id: ${firstRowId} < ${draft.nextRowId}`,
    )
  }
  if (draft.nextRowId + addedRows >= 2n ** 63n)
    throw badRequest('Cannot add a snapshot: row ids exceed 64 bits')
  draft.nextRowId += addedRows
}

function setRef(draft: Draft, name: string, ref: SnapshotRef, now: bigint): void {
  const existing = Object.hasOwn(draft.refs, name) ? draft.refs[name] : undefined
  if (existing && sameRef(existing, ref)) return
  const snapshot = draft.snapshot(ref.snapshotId)
  if (!snapshot) throw badRequest(`Cannot set ${name} to unknown snapshot: ${ref.snapshotId}`)
  if (name === mainBranch) {
    if (ref.type !== 'branch') throw badRequest(`Cannot set ${mainBranch} to a tag, it must be a branch`)
    setCurrent(draft, snapshot, now)
  }
  draft.refs = { ...draft.refs, [name]: ref }
  draft.changed = true
}

function setCurrent(draft: Draft, snapshot: Snapshot, now: bigint): void {
  const { snapshotId, timestampMs } = snapshot
  // Only the retention of main may have changed.
  if (draft.currentSnapshotId === snapshotId) return
  const added = draft.addedSnapshotIds.has(snapshotId)
  draft.currentSnapshotId = snapshotId
  if (added) draft.mainSnapshotIds.add(snapshotId)
  const lastUpdated = draft.base?.lastUpdatedMs ?? 0n
  const changedAt = lastUpdated > now ? lastUpdated : now
  draft.snapshotLog = [...draft.snapshotLog, { timestampMs: added ? timestampMs : changedAt, snapshotId }]
}

function removeRef(draft: Draft, name: string): void {
  if (!Object.hasOwn(draft.refs, name)) return
  if (name === mainBranch) draft.currentSnapshotId = undefined
  draft.refs = Object.fromEntries(Object.entries(draft.refs).filter(([other]) => other !== name))
  draft.changed = true
}

/** Statistics of the snapshots, and refs that would point to nothing, go with them. */
function removeSnapshots(draft: Draft, ids: readonly bigint[]): void {
  const removed = new Set(ids.filter((id) => draft.snapshot(id)))
  if (removed.size === 0) return
  draft.removeSnapshots(removed)
  draft.statistics = draft.statistics.filter(({ snapshotId }) => !removed.has(snapshotId))
  draft.partitionStatistics = draft.partitionStatistics.filter(({ snapshotId }) => !removed.has(snapshotId))
  for (const [name, ref] of Object.entries(draft.refs)) {
    if (removed.has(ref.snapshotId)) removeRef(draft, name)
  }
  draft.snapshotsRemoved = true
  draft.changed = true
}

/**
 * The log without snapshots that were current only in the middle of this commit. A removed snapshot takes the history
 * before it along: a gap would make its successor look current at a time when it was not.
 */
export function settledSnapshotLog(draft: Draft): readonly SnapshotLogEntry[] {
  const { currentSnapshotId, snapshotLog } = draft
  const intermediate = new Set(draft.mainSnapshotIds)
  if (currentSnapshotId !== undefined) intermediate.delete(currentSnapshotId)
  if (intermediate.size === 0 && !draft.snapshotsRemoved) return snapshotLog
  let settled: SnapshotLogEntry[] = []
  for (const entry of snapshotLog) {
    if (!draft.snapshot(entry.snapshotId)) {
      if (draft.snapshotsRemoved) settled = []
    } else if (!intermediate.has(entry.snapshotId)) {
      settled.push(entry)
    }
  }
  if (currentSnapshotId !== undefined && settled.at(-1)?.snapshotId !== currentSnapshotId) {
    throw badRequest('Cannot set invalid snapshot log: latest entry is not the current snapshot')
  }
  return settled
}

/** What a client may repeat on fresh metadata: another commit was faster. */
function retryable(message: string): IcebergError {
  return new IcebergError('CommitFailedException', message)
}
