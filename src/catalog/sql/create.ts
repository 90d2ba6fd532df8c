import type { Transaction } from '../../database/database.ts'
import { lockPlaces } from '../../database/places.ts'
import { isIcebergError } from '../../iceberg/errors.ts'
import type { Identifier } from '../../iceberg/identifier.ts'
import type { MetadataDocument } from '../metadata-document.ts'
import { type CatalogContext, mutate } from './context.ts'
import { LazyDocument } from './documents.ts'
import { findEntry, insertEntry, requireNamespace } from './entries.ts'
import { entryExists, type Kind } from './kinds.ts'
import { assignLocation, checkLocation, chosenLocation } from './locations.ts'
import { removeMetadata, writeMetadata } from './metadata-files.ts'
import { locationBase, reservePlace } from './reserve.ts'
import { noteWritePaths, writePathsOf } from './write-paths.ts'

export interface Creation<M> {
  readonly identifier: Identifier
  /** As the client chose it; undefined has a unique one assigned. */
  readonly location: string | undefined
  build(location: string, uuid: string): M
}

/**
 * Makes an entry with its first metadata file. Throws NoSuchNamespaceException, AlreadyExistsException,
 * LocationConflictException, BadRequestException for a location that cannot be; what `build` throws passes.
 */
export async function create<M>(
  context: CatalogContext,
  kind: Kind<M>,
  creation: Creation<M>,
  alongside?: (tx: Transaction, document: MetadataDocument<M> & { location: string }) => Promise<void>,
): Promise<MetadataDocument<M> & { readonly location: string }> {
  const { identifier } = creation
  const { metadata, location, owned } = await stage(context, kind, creation)
  const document = await writeMetadata(context, kind, metadata, undefined)
  const now = context.now()
  const paths = writePathsOf(kind, metadata)
  const entry = {
    id: context.uuid(),
    metadataLocation: document.location,
    location,
    uuid: kind.uuid(metadata),
    now,
  }
  try {
    await mutate(context, async (tx) => {
      await lockPlaces(tx, owned && paths.length === 0 ? 'shared' : 'exclusive')
      await insertEntry(tx, context.warehouse, kind, identifier, entry)
      await reservePlace(tx, { location, owned, entryId: entry.id, now })
      await noteWritePaths(tx, paths, { entryId: entry.id, now })
      await alongside?.(tx, document)
    })
  } catch (error) {
    if (!isIcebergError(error, 'CommitStateUnknownException'))
      await removeMetadata(context, [document.location])
    throw error
  }
  context.documents.put(document)
  context.observer.committed(kind.kind)
  return document
}

/** Everything of {@link create} but its effects: what a staged create answers. Throws likewise. */
export async function stage<M>(
  context: CatalogContext,
  kind: Kind<M>,
  { identifier, location: chosen, build }: Creation<M>,
): Promise<{ metadata: M; location: string; owned: boolean; document: MetadataDocument<M> }> {
  const { reader } = context.database
  await requireNamespace(reader, context.warehouse, identifier.namespace)
  const existing = await findEntry(reader, context.warehouse, identifier)
  if (existing) throw entryExists(kind, existing.kind, identifier)
  const uuid = context.uuid()
  const owned = chosen === undefined
  const location = owned
    ? assignLocation(await locationBase(context, identifier.namespace), identifier, uuid)
    : chosenLocation(chosen, context.location)
  checkLocation(location)
  const metadata = build(location, uuid)
  const json = Buffer.from(kind.print(metadata))
  return { metadata, location, owned, document: new LazyDocument(null, json, kind.parse, metadata) }
}
