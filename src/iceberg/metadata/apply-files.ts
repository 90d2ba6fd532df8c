import type { Draft } from './draft.ts'
import type { TableUpdate } from './updates.ts'

type FileUpdate = Extract<
  TableUpdate,
  {
    action:
      | 'set-statistics'
      | 'remove-statistics'
      | 'set-partition-statistics'
      | 'remove-partition-statistics'
      | 'add-encryption-key'
      | 'remove-encryption-key'
  }
>

/** One file of each kind of statistics per snapshot, and encryption keys. Removing what is not there changes nothing. */
export function applyFiles(draft: Draft, update: FileUpdate): void {
  switch (update.action) {
    case 'set-statistics':
      draft.statistics = [...without(draft.statistics, update.statistics.snapshotId), update.statistics]
      draft.changed = true
      return
    case 'remove-statistics':
      draft.statistics = changing(draft, draft.statistics, without(draft.statistics, update.snapshotId))
      return
    case 'set-partition-statistics': {
      const file = update.partitionStatistics
      draft.partitionStatistics = [...without(draft.partitionStatistics, file.snapshotId), file]
      draft.changed = true
      return
    }
    case 'remove-partition-statistics': {
      const { partitionStatistics } = draft
      draft.partitionStatistics = changing(
        draft,
        partitionStatistics,
        without(partitionStatistics, update.snapshotId),
      )
      return
    }
    case 'add-encryption-key':
      if (draft.encryptionKeys.some(({ keyId }) => keyId === update.encryptionKey.keyId)) return
      draft.encryptionKeys = [...draft.encryptionKeys, update.encryptionKey]
      draft.changed = true
      return
    case 'remove-encryption-key': {
      const kept = draft.encryptionKeys.filter(({ keyId }) => keyId !== update.keyId)
      draft.encryptionKeys = changing(draft, draft.encryptionKeys, kept)
      return
    }
  }
}

function without<T extends { readonly snapshotId: bigint }>(files: readonly T[], id: bigint): readonly T[] {
  return files.filter(({ snapshotId }) => snapshotId !== id)
}

/** The second list, noting a change when something has gone from the first. */
function changing<T>(draft: Draft, before: readonly T[], after: readonly T[]): readonly T[] {
  if (after.length !== before.length) draft.changed = true
  return after
}
