import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { Database, Transaction } from '../../database/database.ts'
import type { Identifier, Namespace } from '../../iceberg/identifier.ts'
import { newTableMetadata } from '../../iceberg/metadata/builder.ts'
import type { TableMetadata } from '../../iceberg/metadata/model.ts'
import { newViewMetadata } from '../../iceberg/views/builder.ts'
import type { ViewMetadata } from '../../iceberg/views/model.ts'
import type { FileIO } from '../../storage/file-io.ts'
import type {
  Catalog,
  CreateTableRequest,
  CreateViewRequest,
  DroppedEntry,
  LoadedTable,
  LoadedView,
  Mutation,
  NamespaceInfo,
  Page,
  PageRequest,
  Properties,
  PropertiesChange,
  RegisterRequest,
  RestoredEntry,
  TableChange,
  ViewChange,
} from '../catalog.ts'
import type { MetadataDocument } from '../metadata-document.ts'
import { adapt, loadedTable, loadedView, plain, refuseDuplicates } from './answers.ts'
import { tableChange, viewChange } from './changes.ts'
import { commit } from './commit.ts'
import type { CatalogContext, CatalogObserver } from './context.ts'
import { create, stage } from './create.ts'
import { DocumentCache } from './documents.ts'
import { drop } from './drop.ts'
import { findEntry, requireEntry } from './entries.ts'
import { KeyedQueue } from './keyed-queue.ts'
import { type Kind, tables, views } from './kinds.ts'
import { listEntries, listNamespaces } from './listing.ts'
import { checkIdentifier, checkName, checkNamespace } from './names.ts'
import * as namespaces from './namespaces.ts'
import { register } from './register.ts'
import { rename } from './rename.ts'
import { restore } from './restore.ts'
import { removeTrimmed } from './trim.ts'

export interface SqlCatalogOptions {
  /** Name of the warehouse. */
  readonly warehouse: string
  /** Directory-like URI under which locations are assigned. */
  readonly location: string
  readonly database: Database
  readonly io: FileIO
  readonly logger: Logger
  /** Milliseconds since the epoch. @default Date.now */
  readonly clock?: () => number
  /** @default crypto.randomUUID */
  readonly uuid?: () => string
  readonly observer?: CatalogObserver
  /** Bound of the metadata kept in memory, bytes. @default 268435456 */
  readonly cacheBytes?: number
}

/**
 * Moulin's own catalog: names and pointers in the database, metadata in files. Any number of replicas may serve the
 * same database.
 */
export class SqlCatalog implements Catalog {
  readonly warehouse: string
  readonly #context: CatalogContext

  constructor(options: SqlCatalogOptions) {
    this.warehouse = options.warehouse
    this.#context = {
      warehouse: options.warehouse,
      location: options.location.replace(/(?<=[^/:])\/+$/, ''),
      database: options.database,
      io: options.io,
      documents: new DocumentCache(options.io, options.cacheBytes),
      commits: new KeyedQueue(),
      observer: options.observer ?? { committed: () => undefined, conflict: () => undefined },
      logger: options.logger,
      now: options.clock ?? Date.now,
      uuid: options.uuid ?? randomUUID,
    }
  }

  async listNamespaces(parent: Namespace | undefined, page: PageRequest): Promise<Page<Namespace>> {
    if (parent) checkNamespace(parent)
    return await listNamespaces(this.#context, parent, page)
  }

  async createNamespace(
    namespace: Namespace,
    properties: Properties,
    mutation?: Mutation<NamespaceInfo>,
  ): Promise<NamespaceInfo> {
    checkNamespace(namespace)
    return await namespaces.createNamespace(this.#context, namespace, properties, mutation?.alongside)
  }

  async loadNamespace(namespace: Namespace): Promise<NamespaceInfo> {
    checkNamespace(namespace)
    return await namespaces.loadNamespace(this.#context, namespace)
  }

  async dropNamespace(namespace: Namespace, mutation?: Mutation<void>): Promise<void> {
    checkNamespace(namespace)
    await namespaces.dropNamespace(this.#context, namespace, plain(mutation))
  }

  async updateNamespaceProperties(
    namespace: Namespace,
    removals: readonly string[],
    updates: Properties,
    mutation?: Mutation<PropertiesChange>,
  ): Promise<PropertiesChange> {
    checkNamespace(namespace)
    const { alongside } = mutation ?? {}
    return await namespaces.updateNamespaceProperties(this.#context, namespace, removals, updates, alongside)
  }

  async listTables(namespace: Namespace, page: PageRequest): Promise<Page<Identifier>> {
    checkNamespace(namespace)
    return await listEntries(this.#context, tables, namespace, page)
  }

  async createTable(
    namespace: Namespace,
    request: CreateTableRequest,
    mutation?: Mutation<LoadedTable>,
  ): Promise<LoadedTable> {
    const creation = this.#tableCreation(namespace, request)
    const loaded = (document: MetadataDocument<TableMetadata>) => loadedTable(creation.identifier, document)
    const alongside = adapt(mutation, loaded)
    return loaded(await create(this.#context, tables, creation, alongside))
  }

  async stageCreateTable(namespace: Namespace, request: CreateTableRequest): Promise<LoadedTable> {
    const creation = this.#tableCreation(namespace, request)
    const { document } = await stage(this.#context, tables, creation)
    return loadedTable(creation.identifier, document)
  }

  async registerTable(
    namespace: Namespace,
    request: RegisterRequest,
    mutation?: Mutation<LoadedTable>,
  ): Promise<LoadedTable> {
    const registration = { ...request, identifier: this.#identifier(namespace, request.name, tables) }
    const loaded = ({ document, warnings }: Awaited<ReturnType<typeof register<TableMetadata>>>) =>
      loadedTable(registration.identifier, document, warnings)
    return loaded(await register(this.#context, tables, registration, adapt(mutation, loaded)))
  }

  async loadTable(identifier: Identifier): Promise<LoadedTable> {
    return loadedTable(identifier, await this.#load(tables, identifier))
  }

  async tableExists(identifier: Identifier): Promise<boolean> {
    return await this.#exists(tables, identifier)
  }

  async commitTable(
    identifier: Identifier,
    change: TableChange,
    mutation?: Mutation<LoadedTable>,
  ): Promise<LoadedTable> {
    const alongside = adapt(mutation, (tables: readonly LoadedTable[]) => tables[0]!)
    const [table] = await this.commitTransaction([{ identifier, change }], alongside && { alongside })
    return table!
  }

  async commitTransaction(
    changes: readonly { readonly identifier: Identifier; readonly change: TableChange }[],
    mutation?: Mutation<readonly LoadedTable[]>,
  ): Promise<readonly LoadedTable[]> {
    for (const { identifier } of changes) checkIdentifier(identifier, 'table')
    refuseDuplicates(changes.map(({ identifier }) => identifier))
    const context = this.#context
    const loaded = (documents: readonly { document: MetadataDocument<TableMetadata> }[]) =>
      documents.map(({ document }, index) => loadedTable(changes[index]!.identifier, document))
    const committed = await commit(
      context,
      tables,
      changes.map(({ identifier, change }) => tableChange(context, identifier, change)),
      adapt(mutation, loaded),
    )
    for (const { base, document } of committed) {
      if (document !== base) await removeTrimmed(context, base?.model, document.model)
    }
    return loaded(committed)
  }

  async renameTable(from: Identifier, to: Identifier, mutation?: Mutation<void>): Promise<void> {
    await this.#rename(tables, from, to, mutation)
  }

  async dropTable(identifier: Identifier, mutation?: Mutation<DroppedEntry>): Promise<DroppedEntry> {
    checkIdentifier(identifier, 'table')
    return await drop(this.#context, tables, identifier, mutation?.alongside)
  }

  async restore(
    identifier: Identifier,
    entry: RestoredEntry,
    alongside: (tx: Transaction) => Promise<void>,
  ): Promise<void> {
    checkIdentifier(identifier, entry.kind)
    await restore(this.#context, identifier, entry, alongside)
  }

  async listViews(namespace: Namespace, page: PageRequest): Promise<Page<Identifier>> {
    checkNamespace(namespace)
    return await listEntries(this.#context, views, namespace, page)
  }

  async createView(
    namespace: Namespace,
    request: CreateViewRequest,
    mutation?: Mutation<LoadedView>,
  ): Promise<LoadedView> {
    const { schema, viewVersion, properties } = request
    const now = BigInt(this.#context.now())
    const creation = {
      identifier: this.#identifier(namespace, request.name, views),
      location: request.location,
      build: (location: string, uuid: string) =>
        newViewMetadata({ schema, viewVersion, properties, location, uuid, now }),
    }
    const loaded = (document: MetadataDocument<ViewMetadata>) => loadedView(creation.identifier, document)
    return loaded(await create(this.#context, views, creation, adapt(mutation, loaded)))
  }

  async registerView(
    namespace: Namespace,
    request: RegisterRequest,
    mutation?: Mutation<LoadedView>,
  ): Promise<LoadedView> {
    const registration = { ...request, identifier: this.#identifier(namespace, request.name, views) }
    const loaded = ({ document }: Awaited<ReturnType<typeof register<ViewMetadata>>>) =>
      loadedView(registration.identifier, document)
    return loaded(await register(this.#context, views, registration, adapt(mutation, loaded)))
  }

  async loadView(identifier: Identifier): Promise<LoadedView> {
    return loadedView(identifier, await this.#load(views, identifier))
  }

  async viewExists(identifier: Identifier): Promise<boolean> {
    return await this.#exists(views, identifier)
  }

  async replaceView(
    identifier: Identifier,
    change: ViewChange,
    mutation?: Mutation<LoadedView>,
  ): Promise<LoadedView> {
    checkIdentifier(identifier, 'view')
    const loaded = (committed: readonly { document: MetadataDocument<ViewMetadata> }[]) =>
      loadedView(identifier, committed[0]!.document)
    const changes = [viewChange(this.#context, identifier, change)]
    return loaded(await commit(this.#context, views, changes, adapt(mutation, loaded)))
  }

  async renameView(from: Identifier, to: Identifier, mutation?: Mutation<void>): Promise<void> {
    await this.#rename(views, from, to, mutation)
  }

  async dropView(identifier: Identifier, mutation?: Mutation<DroppedEntry>): Promise<DroppedEntry> {
    checkIdentifier(identifier, 'view')
    return await drop(this.#context, views, identifier, mutation?.alongside)
  }

  #identifier(namespace: Namespace, name: string, kind: Kind<unknown>): Identifier {
    const identifier = { namespace, name }
    checkIdentifier(identifier, kind.kind)
    return identifier
  }

  #tableCreation(namespace: Namespace, request: CreateTableRequest) {
    const { schema, partitionSpec, writeOrder, properties } = request
    const now = BigInt(this.#context.now())
    return {
      identifier: this.#identifier(namespace, request.name, tables),
      location: request.location,
      build: (location: string, uuid: string) =>
        newTableMetadata({ schema, partitionSpec, writeOrder, properties, location, uuid, now }),
    }
  }

  async #load<M>(kind: Kind<M>, identifier: Identifier): Promise<MetadataDocument<M>> {
    checkIdentifier(identifier, kind.kind)
    const { database, warehouse, documents } = this.#context
    const entry = await requireEntry(database.reader, warehouse, kind, identifier)
    return await documents.load(entry.metadata_location, kind.parse)
  }

  async #exists(kind: Kind<unknown>, identifier: Identifier): Promise<boolean> {
    checkIdentifier(identifier, kind.kind)
    const entry = await findEntry(this.#context.database.reader, this.warehouse, identifier)
    return entry?.kind === kind.kind
  }

  async #rename(
    kind: Kind<unknown>,
    from: Identifier,
    to: Identifier,
    mutation?: Mutation<void>,
  ): Promise<void> {
    checkIdentifier(from, kind.kind)
    checkNamespace(to.namespace)
    checkName(to.name, `${kind.kind} name`)
    await rename(this.#context, kind, from, to, plain(mutation))
  }
}
