/**
 * Commits: read the pointer, check and apply the change to the metadata that it names, write the result into a new
 * file, move the pointer by compare-and-swap. Whoever loses the swap begins again on the winner's metadata.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Transaction } from '../../database/database.ts'
import { namespacePath } from '../../database/namespace-path.ts'
import { lockPlaces } from '../../database/places.ts'
import { unfinishedTwin } from '../../database/twins.ts'
import { IcebergError, isIcebergError } from '../../iceberg/errors.ts'
import { type Identifier, identifierText } from '../../iceberg/identifier.ts'
import { placeKey } from '../../storage/location.ts'
import type { MetadataDocument } from '../metadata-document.ts'
import { type CatalogContext, mutate } from './context.ts'
import {
  type Entry,
  findEntry,
  holdPointer,
  identityOf,
  insertEntry,
  type Pointer,
  swapPointer,
} from './entries.ts'
import { entryExists, type Kind, noSuchEntry } from './kinds.ts'
import { chosenLocation, isAssigned } from './locations.ts'
import { removeMetadata, writeMetadata } from './metadata-files.ts'
import { locationBase, reservePlace } from './reserve.ts'
import { noteWritePaths, writePathsOf } from './write-paths.ts'

/** Milliseconds for which a commit that keeps losing to other processes is repeated. */
const retryTime = 30_000

export interface Change<M> {
  readonly identifier: Identifier
  /** The entry is to be made by this change (assert-create). */
  readonly creates: boolean
  /**
   * Checks the requirements against the current metadata (undefined: there is no entry) and applies the updates.
   * Gives `base` itself when nothing changes. Called again for every new base.
   */
  apply(base: M | undefined, baseLocation: string | undefined): M
}

export interface Committed<M> {
  readonly base: MetadataDocument<M> | undefined
  /** The base's, when the change changed nothing. */
  readonly document: MetadataDocument<M>
}

/**
 * Commits changes of distinct entries, all or none. `alongside` runs in the same transaction.
 *
 * Throws CommitFailedException when a requirement fails or others keep winning for 30 s,
 * CommitStateUnknownException when the database gave no answer; what `apply` throws passes.
 */
export async function commit<M>(
  context: CatalogContext,
  kind: Kind<M>,
  changes: readonly Change<M>[],
  alongside?: (tx: Transaction, result: readonly Committed<M>[]) => Promise<void>,
): Promise<readonly Committed<M>[]> {
  const keys = changes.map(({ identifier }) => queueKey(identifier))
  return await context.commits.run(keys, async () => {
    const deadline = performance.now() + retryTime
    for (let delay = 4; ; delay = Math.min(delay * 2, 500)) {
      const plans: Plan<M>[] = []
      for (const change of changes) plans.push(await plan(context, kind, change))
      if (await land(context, kind, plans, alongside)) {
        for (const { document } of plans) context.documents.put(document)
        for (const { isNew } of plans) if (isNew) context.observer.committed(kind.kind)
        return plans
      }
      context.observer.conflict()
      if (performance.now() > deadline) throw tooBusy(changes)
      await sleep(delay * (0.5 + Math.random()))
    }
  })
}

interface Plan<M> {
  readonly change: Change<M>
  /** The entry that the plan builds on; undefined when it makes one. */
  readonly entry: Entry | undefined
  readonly base: MetadataDocument<M> | undefined
  readonly metadata: M
  readonly isNew: boolean
  /** A location that has to be reserved. */
  readonly place: { readonly location: string; readonly owned: boolean } | undefined
  /** Where the entry has not written so far, outside of its location. */
  readonly writePaths: readonly string[]
  /** The entry gets a uuid, of the client's choice. */
  readonly namesItself: boolean
  document: MetadataDocument<M>
}

async function plan<M>(context: CatalogContext, kind: Kind<M>, change: Change<M>): Promise<Plan<M>> {
  const { identifier, creates } = change
  const entry = await findEntry(context.database.reader, context.warehouse, identifier)
  if (entry && entry.kind !== kind.kind && creates) throw entryExists(kind, entry.kind, identifier)
  if (!creates && entry?.kind !== kind.kind) throw noSuchEntry(kind, identifier)
  const base = entry && (await context.documents.load(entry.metadata_location, kind.parse))
  const metadata = change.apply(base?.model, entry?.metadata_location)
  return {
    change,
    entry,
    base,
    metadata,
    isNew: metadata !== base?.model,
    place: await placeOf(context, kind, identifier, entry, metadata),
    writePaths: newWritePaths(kind, base?.model, metadata),
    namesItself: kind.uuid(metadata) !== (entry?.uuid ?? undefined),
    document: base as MetadataDocument<M>,
  }
}

/** The place that the new metadata needs beyond those that its entry holds. */
async function placeOf<M>(
  context: CatalogContext,
  kind: Kind<M>,
  identifier: Identifier,
  entry: Entry | undefined,
  metadata: M,
): Promise<Plan<M>['place']> {
  const location = kind.location(metadata)
  if (entry && (entry.location === location || placeKey(entry.location) === placeKey(location)))
    return undefined
  chosenLocation(location, context.location)
  const uuid = kind.uuid(metadata)
  if (entry || uuid === undefined) return { location, owned: false }
  const base = await locationBase(context, identifier.namespace)
  return { location, owned: isAssigned(base, location, uuid) }
}

function newWritePaths<M>(kind: Kind<M>, base: M | undefined, metadata: M): string[] {
  if (metadata === base) return []
  const known = new Set((base === undefined ? [] : writePathsOf(kind, base)).map(placeKey))
  return writePathsOf(kind, metadata).filter((path) => !known.has(placeKey(path)))
}

/** What other entries and purges have decides whether the change can be. */
function meetsOthers({ place, writePaths, namesItself }: Plan<unknown>): boolean {
  return place !== undefined || writePaths.length > 0 || namesItself
}

/** Writes the files and moves the pointers. False when another commit was faster: nothing is left behind then. */
async function land<M>(
  context: CatalogContext,
  kind: Kind<M>,
  plans: Plan<M>[],
  alongside?: (tx: Transaction, result: readonly Committed<M>[]) => Promise<void>,
): Promise<boolean> {
  if (plans.length === 1 && !plans[0]!.isNew && !alongside) return true
  const written: string[] = []
  try {
    await write(context, kind, plans, written)
    await mutate(context, async (tx) => {
      if (plans.some(meetsOthers)) await lockPlaces(tx, 'exclusive')
      for (const plan of inLockingOrder(plans)) await move(context, kind, tx, plan)
      await alongside?.(tx, plans)
    })
    return true
  } catch (error) {
    // The pointer may name the files already.
    if (isIcebergError(error, 'CommitStateUnknownException')) throw error
    await removeMetadata(context, written)
    if (error instanceof LostRace) return false
    throw error
  }
}

async function write<M>(
  context: CatalogContext,
  kind: Kind<M>,
  plans: Plan<M>[],
  written: string[],
): Promise<void> {
  const results = await Promise.allSettled(
    plans
      .filter(({ isNew }) => isNew)
      .map(async (plan) => {
        const document = await writeMetadata(context, kind, plan.metadata, plan.entry?.metadata_location)
        written.push(document.location)
        plan.document = document
      }),
  )
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

async function move<M>(
  context: CatalogContext,
  kind: Kind<M>,
  tx: Transaction,
  { change, entry, metadata, isNew, place, writePaths, namesItself, document }: Plan<M>,
): Promise<void> {
  const now = context.now()
  if (!isNew) {
    if (!(await holdPointer(tx, entry!.id, entry!.metadata_location))) throw new LostRace()
    return
  }
  const pointer: Pointer = {
    metadataLocation: document.location!,
    location: kind.location(metadata),
    uuid: kind.uuid(metadata),
  }
  const entryId = entry?.id ?? context.uuid()
  if (namesItself) await refuseErasedUuid(tx, change.identifier, pointer)
  if (!entry) {
    await insertEntry(tx, context.warehouse, kind, change.identifier, { ...pointer, id: entryId, now })
  } else if (!(await swapPointer(tx, entryId, entry.metadata_location, pointer, now))) {
    throw new LostRace()
  }
  if (place) await reservePlace(tx, { ...place, entryId, now })
  await noteWritePaths(tx, writePaths, { entryId, now })
}

/** As registering does: whoever has the uuid of a table that is being erased would be that table. */
async function refuseErasedUuid(tx: Transaction, identifier: Identifier, pointer: Pointer): Promise<void> {
  const twin = await unfinishedTwin(tx, identityOf(pointer))
  if (!twin) return
  throw new IcebergError(
    'LocationConflictException',
    `Cannot commit to ${identifierText(identifier)}: the files of the table with the UUID ${pointer.uuid} belong to an unfinished purge ${twin.id}.`,
  )
}

/** Another commit, a drop or a rename came between reading the pointer and moving it. */
class LostRace extends Error {}

/** The same order in every process, so that two transactions over the same tables do not deadlock. */
function inLockingOrder<M>(plans: readonly Plan<M>[]): Plan<M>[] {
  const key = ({ change }: Plan<M>) => queueKey(change.identifier)
  return plans.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

function queueKey({ namespace, name }: Identifier): string {
  return namespacePath([...namespace, name])
}

function tooBusy(changes: readonly Change<unknown>[]): IcebergError {
  const names = changes.map(({ identifier }) => identifierText(identifier)).join(', ')
  return new IcebergError(
    'CommitFailedException',
    `Cannot commit to ${names}: other commits keep coming first.`,
  )
}
