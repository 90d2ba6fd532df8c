/**
 * What protects other tables from a purge. A metadata file lists whatever its writer put there; that a path is
 * reachable does not make it this table's alone.
 */
import { type Selectable, sql } from 'kysely'
import type { Executor, Transaction } from '../database/database.ts'
import { namespaceLevels } from '../database/namespace-path.ts'
import { findOverlaps } from '../database/places.ts'
import type { PurgeTable } from '../database/schema/purges.ts'
import { liveTwins, type Twin, unfinishedTwin } from '../database/twins.ts'
import { InvalidLocationError } from '../storage/file-io.ts'
import { ancestorKeys, canonicalLocation, placeKey } from '../storage/location.ts'
import type { KeepRule, Purge } from './purger.ts'

/**
 * Why the purge has to wait for a person: a live entry with the same metadata file, or the same UUID, is the same table
 * under another name, and all its files are reachable from here. So is one whose drop can still be undone: a purge that
 * is retained, or held by an operator. (One that the guard holds does not count: two could hold each other for ever.)
 * Undefined when there is none.
 *
 * Runs in the claim's transaction with the places locked, as registering and undoing a drop do: neither can miss the other.
 */
export async function sharedWith(
  tx: Transaction,
  row: Pick<Selectable<PurgeTable>, 'id' | 'metadata_key' | 'uuid'>,
): Promise<string | undefined> {
  const identity = { metadataKey: row.metadata_key, uuid: row.uuid }
  const [live] = await liveTwins(tx, identity, { limit: 1 })
  if (live)
    return `The live table ${nameOf(live)} has the same ${sharedPart(live, row)}: erasing the files would destroy it.`
  const undoable = await unfinishedTwin(
    tx,
    identity,
    sql`id <> ${row.id} AND begun_at IS NULL AND (state = 'retained' OR (state = 'held' AND held_by = 'operator'))`,
  )
  if (!undoable) return undefined
  return `The dropped table ${nameOf(undoable)} has the same ${sharedPart(undoable, row)}, and its drop can still be undone (purge ${undoable.id}).`
}

function nameOf({ path, name, warehouse }: Twin): string {
  return `${[...namespaceLevels(path), name].join('.')} of warehouse ${warehouse}`
}

function sharedPart(other: Twin, row: { readonly metadata_key: string }): string {
  return other.metadata_key === row.metadata_key ? 'metadata file' : 'UUID'
}

/** Directories that are remembered with their answers; a table has few compared with its files. */
const rememberedDirectories = 50_000
/** Keys of one query. */
const keysPerQuery = 500

/**
 * Keeps what lies inside the place of another entry, or of another purge that is not finished, by whole segments. The
 * deepest place that contains a path decides: where that is one of this purge's own (or equal to one), the path may go.
 */
export function keepOthers(executor: Executor, purge: Purge): KeepRule {
  const own = new Set(purge.locations.map(({ location }) => placeKey(location)))
  const directoryOf = rememberingDirectories()

  return async (paths) => {
    const directories = paths.map(directoryOf)
    const undecided = new Set(directories.filter(({ decided }) => !decided))
    if (undecided.size > 0) {
      const asked = Array.from(undecided, (directory) => ({
        directory,
        ancestors: ancestorKeys(directory.key),
      }))
      const held = await placesAmong(
        executor,
        purge.id,
        asked.flatMap(({ ancestors }) => ancestors),
      )
      for (const { directory, ancestors } of asked) {
        directory.rule = verdict(ancestors, own, held)
        // Nobody can get a place inside this purge's own. Elsewhere somebody may, at any time: that is asked again.
        directory.decided = directory.rule !== undefined || ancestors.some((key) => own.has(key))
      }
    }
    return directories.map(({ rule }) => rule)
  }
}

/** The places of others that lie inside a purge's own locations. */
export async function enclosedPlaces(executor: Executor, purge: Purge): Promise<string[]> {
  const own = purge.locations.map(({ location }) => placeKey(location))
  const enclosed = new Set<string>()
  for (const key of own) {
    for (const { location, placeKey: place, holder } of await findOverlaps(executor, key)) {
      const isOther = holder.kind === 'entry' || holder.purgeId !== purge.id
      if (isOther && place.startsWith(key) && !own.includes(place)) enclosed.add(location)
    }
  }
  return [...enclosed]
}

function verdict(
  ancestors: readonly string[],
  own: ReadonlySet<string>,
  held: ReadonlyMap<string, string>,
): string | undefined {
  for (const key of ancestors.toReversed()) {
    if (own.has(key)) return undefined
    const holder = held.get(key)
    if (holder !== undefined) return holder
  }
  return undefined
}

/** Which of the keys are places of somebody else, and the name of the rule that follows. */
async function placesAmong(
  executor: Executor,
  purgeId: string,
  keys: readonly string[],
): Promise<Map<string, string>> {
  const unique = [...new Set(keys)]
  const held = new Map<string, string>()
  for (let at = 0; at < unique.length; at += keysPerQuery) {
    const rows = await executor
      .selectFrom('places')
      .select(['place_key', 'entry_id', 'purge_id'])
      .where('place_key', 'in', unique.slice(at, at + keysPerQuery))
      .where((where) => where.or([where('purge_id', 'is', null), where('purge_id', '<>', purgeId)]))
      .execute()
    for (const row of rows) {
      const rule = row.purge_id === null ? 'inside-live-table' : 'inside-unfinished-purge'
      // A live table's claim is the stronger one to name.
      if (held.get(row.place_key) !== 'inside-live-table') held.set(row.place_key, rule)
    }
  }
  return held
}

interface Directory {
  readonly key: string
  /** The rule that keeps what lies in it. */
  rule: string | undefined
  /** The rule stays as it is. */
  decided: boolean
}

/** A location that no storage serves is left to the storage to refuse. */
const nowhere: Directory = { key: '', rule: undefined, decided: true }

/** Gives the directory that holds a path: the same one for all paths that have it written in the same way. */
function rememberingDirectories(): (path: string) => Directory {
  const directories = new Map<string, Directory>()
  return (path) => {
    const written = path.slice(0, path.lastIndexOf('/') + 1)
    // On a local disk these two are no names.
    const isClimbing = path.endsWith('/.') || path.endsWith('/..')
    const remembered = isClimbing ? undefined : directories.get(written)
    if (remembered) return remembered
    const key = directoryKey(path)
    if (key === undefined) return nowhere
    const directory = { key, rule: undefined, decided: false }
    if (directories.size >= rememberedDirectories) directories.clear()
    if (!isClimbing) directories.set(written, directory)
    return directory
  }
}

/** Undefined for what is no location at all. */
function directoryKey(path: string): string | undefined {
  try {
    const canonical = canonicalLocation(path)
    return canonical.slice(0, canonical.lastIndexOf('/') + 1)
  } catch (error) {
    if (error instanceof InvalidLocationError) return undefined
    throw error
  }
}
