/**
 * The catalog of one warehouse: names on one side, the current metadata file on the other. It never deletes a data
 * file, and does not know of purges: it takes work to be done *alongside* a mutation, in the same transaction, and
 * the server composes the two there.
 *
 * Every method throws {@link IcebergError}s with the types and messages of the REST specification.
 */
import type { Transaction } from '../database/database.ts'
import type { Identifier, Namespace } from '../iceberg/identifier.ts'
import type { TableMetadata } from '../iceberg/metadata/model.ts'
import type { TableRequirement } from '../iceberg/metadata/requirements.ts'
import type { TableUpdate } from '../iceberg/metadata/updates.ts'
import type { ViewMetadata } from '../iceberg/views/model.ts'
import type { ViewRequirement, ViewUpdate } from '../iceberg/views/updates.ts'
import type { MetadataDocument } from './metadata-document.ts'

export type Properties = Readonly<Record<string, string>>

/** A page of a listing. `token` is opaque; undefined asks for the first page. */
export interface PageRequest {
  readonly token: string | undefined
  /** 1 to 1,000; undefined asks for everything. */
  readonly size: number | undefined
}
export interface Page<T> {
  readonly items: readonly T[]
  /** Undefined on the last page. */
  readonly next: string | undefined
}

/**
 * What else happens in a mutation's transaction, after its own statements and before COMMIT: the purge's row, the
 * Idempotency-Key's answer. Throwing rolls everything back. May be called again if the database repeats the transaction.
 */
export interface Mutation<T> {
  readonly alongside?: (tx: Transaction, result: T) => Promise<void>
}

export interface NamespaceInfo {
  readonly namespace: Namespace
  readonly properties: Properties
}

export interface PropertiesChange {
  readonly updated: readonly string[]
  readonly removed: readonly string[]
  readonly missing: readonly string[]
}

export interface LoadedTable {
  readonly identifier: Identifier
  /** Null for a table that is only staged. */
  readonly metadataLocation: string | null
  readonly document: MetadataDocument<TableMetadata>
  /** Things that the caller should log and an operator should know (overlap at register …). */
  readonly warnings: readonly string[]
}

export interface LoadedView {
  readonly identifier: Identifier
  readonly metadataLocation: string
  readonly document: MetadataDocument<ViewMetadata>
}

/** A removed entry, as the ledger needs it. */
export interface DroppedEntry {
  readonly entryId: string
  readonly kind: 'table' | 'view'
  readonly warehouse: string
  readonly identifier: Identifier
  readonly uuid: string | undefined
  /** The pointer at the very moment of the drop. */
  readonly metadataLocation: string
  /** Ids in `places`: released by the drop, unless an `alongside` has moved them to a purge. Current one first. */
  readonly places: readonly { readonly id: string; readonly location: string; readonly owned: boolean }[]
}

/** A removed entry that is to come back: what {@link DroppedEntry} told of it. */
export interface RestoredEntry {
  readonly entryId: string
  readonly kind: 'table' | 'view'
  readonly uuid: string | undefined
  readonly metadataLocation: string
  /** The one that it had at the drop. */
  readonly location: string
  /** Milliseconds since the epoch, by the database's clock. */
  readonly droppedAt: number
}

export interface CreateTableRequest {
  readonly name: string
  /** The request's `schema`, `partition-spec`, `write-order` as parsed JSON (exact numbers). */
  readonly schema: unknown
  readonly partitionSpec: unknown
  readonly writeOrder: unknown
  readonly location: string | undefined
  readonly properties: Properties
}

export interface RegisterRequest {
  readonly name: string
  readonly metadataLocation: string
  /** Replaces the entry of an existing table, whose files stay. */
  readonly overwrite: boolean
}

export interface CreateViewRequest {
  readonly name: string
  readonly location: string | undefined
  readonly schema: unknown
  readonly viewVersion: unknown
  readonly properties: Properties
}

export interface TableChange {
  readonly requirements: readonly TableRequirement[]
  readonly updates: readonly TableUpdate[]
}
export interface ViewChange {
  readonly requirements: readonly ViewRequirement[]
  readonly updates: readonly ViewUpdate[]
}

export interface Catalog {
  readonly warehouse: string

  /** Direct children of `parent`, or the top-level namespaces. Ordered by name. */
  listNamespaces(parent: Namespace | undefined, page: PageRequest): Promise<Page<Namespace>>
  createNamespace(
    namespace: Namespace,
    properties: Properties,
    mutation?: Mutation<NamespaceInfo>,
  ): Promise<NamespaceInfo>
  loadNamespace(namespace: Namespace): Promise<NamespaceInfo>
  dropNamespace(namespace: Namespace, mutation?: Mutation<void>): Promise<void>
  updateNamespaceProperties(
    namespace: Namespace,
    removals: readonly string[],
    updates: Properties,
    mutation?: Mutation<PropertiesChange>,
  ): Promise<PropertiesChange>

  listTables(namespace: Namespace, page: PageRequest): Promise<Page<Identifier>>
  createTable(
    namespace: Namespace,
    request: CreateTableRequest,
    mutation?: Mutation<LoadedTable>,
  ): Promise<LoadedTable>
  /** Nothing becomes visible; the answer holds what a later commit with assert-create will build upon. */
  stageCreateTable(namespace: Namespace, request: CreateTableRequest): Promise<LoadedTable>
  registerTable(
    namespace: Namespace,
    request: RegisterRequest,
    mutation?: Mutation<LoadedTable>,
  ): Promise<LoadedTable>
  loadTable(identifier: Identifier): Promise<LoadedTable>
  tableExists(identifier: Identifier): Promise<boolean>
  /** With assert-create among the requirements, creates the table. */
  commitTable(
    identifier: Identifier,
    change: TableChange,
    mutation?: Mutation<LoadedTable>,
  ): Promise<LoadedTable>
  /** All or nothing. */
  commitTransaction(
    changes: readonly { readonly identifier: Identifier; readonly change: TableChange }[],
    mutation?: Mutation<readonly LoadedTable[]>,
  ): Promise<readonly LoadedTable[]>
  renameTable(from: Identifier, to: Identifier, mutation?: Mutation<void>): Promise<void>
  /** Removes the entry; touches no file. */
  dropTable(identifier: Identifier, mutation?: Mutation<DroppedEntry>): Promise<DroppedEntry>

  /**
   * Makes the entry of a dropped table or view again, as it was, if its metadata file is there and nothing erases or has erased
   * the same table under another name. `alongside` has to give its places back, and to end its own purge.
   */
  restore(
    identifier: Identifier,
    entry: RestoredEntry,
    alongside: (tx: Transaction) => Promise<void>,
  ): Promise<void>

  listViews(namespace: Namespace, page: PageRequest): Promise<Page<Identifier>>
  createView(
    namespace: Namespace,
    request: CreateViewRequest,
    mutation?: Mutation<LoadedView>,
  ): Promise<LoadedView>
  registerView(
    namespace: Namespace,
    request: RegisterRequest,
    mutation?: Mutation<LoadedView>,
  ): Promise<LoadedView>
  loadView(identifier: Identifier): Promise<LoadedView>
  viewExists(identifier: Identifier): Promise<boolean>
  replaceView(
    identifier: Identifier,
    change: ViewChange,
    mutation?: Mutation<LoadedView>,
  ): Promise<LoadedView>
  renameView(from: Identifier, to: Identifier, mutation?: Mutation<void>): Promise<void>
  dropView(identifier: Identifier, mutation?: Mutation<DroppedEntry>): Promise<DroppedEntry>
}
