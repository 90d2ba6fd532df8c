import type {
  EncryptedKey,
  FormatVersion,
  PartitionStatisticsFile,
  Properties,
  Snapshot,
  SnapshotLogEntry,
  SnapshotRef,
  StatisticsFile,
  TableMetadata,
} from './model.ts'
import { type PartitionSpec, partitionIdStart } from './partition-spec.ts'
import type { Schema } from './schema.ts'
import type { SortOrder } from './sort-order.ts'

/** Metadata while a commit's updates are applied to it, with what the updates of one commit need to know of each other. */
export class Draft {
  readonly base: TableMetadata | undefined
  /** Something is different from the base. */
  changed = false
  formatVersion: FormatVersion
  uuid: string | undefined
  location: string | undefined
  lastSequenceNumber: bigint
  lastColumnId: number
  schemas: readonly Schema[]
  currentSchemaId: number
  partitionSpecs: readonly PartitionSpec[]
  defaultSpecId: number
  lastPartitionId: number
  sortOrders: readonly SortOrder[]
  defaultSortOrderId: number
  properties: Properties
  currentSnapshotId: bigint | undefined
  snapshots: readonly Snapshot[]
  snapshotLog: readonly SnapshotLogEntry[]
  refs: Readonly<Record<string, SnapshotRef>>
  statistics: readonly StatisticsFile[]
  partitionStatistics: readonly PartitionStatisticsFile[]
  nextRowId: bigint
  encryptionKeys: readonly EncryptedKey[]

  /** What -1 stands for. */
  lastAddedSchemaId: number | undefined
  lastAddedSpecId: number | undefined
  lastAddedOrderId: number | undefined
  readonly addedSchemaIds = new Set<number>()
  readonly addedSpecIds = new Set<number>()
  readonly addedOrderIds = new Set<number>()
  readonly addedSnapshotIds = new Set<bigint>()
  /** Snapshots that were added and made current by this commit, not all of which stay current. */
  readonly mainSnapshotIds = new Set<bigint>()
  snapshotsRemoved = false

  readonly #snapshotsById: Map<bigint, Snapshot>

  constructor(base: TableMetadata | undefined, initialVersion: FormatVersion) {
    this.base = base
    this.formatVersion = base?.formatVersion ?? initialVersion
    this.uuid = base?.tableUuid
    this.location = base?.location
    this.lastSequenceNumber = base?.lastSequenceNumber ?? 0n
    this.lastColumnId = base?.lastColumnId ?? 0
    this.schemas = base?.schemas ?? []
    this.currentSchemaId = base?.currentSchemaId ?? 0
    this.partitionSpecs = base?.partitionSpecs ?? []
    this.defaultSpecId = base?.defaultSpecId ?? 0
    this.lastPartitionId = base?.lastPartitionId ?? partitionIdStart
    this.sortOrders = base?.sortOrders ?? []
    this.defaultSortOrderId = base?.defaultSortOrderId ?? 0
    this.properties = base?.properties ?? {}
    this.currentSnapshotId = base?.currentSnapshotId
    this.snapshots = base?.snapshots ?? []
    this.snapshotLog = base?.snapshotLog ?? []
    this.refs = base?.refs ?? {}
    this.statistics = base?.statistics ?? []
    this.partitionStatistics = base?.partitionStatistics ?? []
    this.nextRowId = base?.nextRowId ?? 0n
    this.encryptionKeys = base?.encryptionKeys ?? []
    this.#snapshotsById = new Map(this.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]))
  }

  snapshot(id: bigint): Snapshot | undefined {
    return this.#snapshotsById.get(id)
  }

  addSnapshot(snapshot: Snapshot): void {
    this.snapshots = [...this.snapshots, snapshot]
    this.#snapshotsById.set(snapshot.snapshotId, snapshot)
  }

  removeSnapshots(ids: ReadonlySet<bigint>): void {
    this.snapshots = this.snapshots.filter(({ snapshotId }) => !ids.has(snapshotId))
    for (const id of ids) this.#snapshotsById.delete(id)
  }
}
