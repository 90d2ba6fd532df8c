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
import { ancestorKeys, canonicalLocation, parentLocation, placeKey } from '../storage/location.ts'
import { foreignRootIn, rootsAmong, rootsIn } from './foreign-roots.ts'
import type { KeepRule, Purge, PurgeLocation } from './purger.ts'

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
/** Roots of others whose folders are told to an engine; where there are more, their tables have places there. */
const maxRoots = 10_000

/**
 * Keeps what lies inside the place of another entry, or of another purge that is not finished, by whole segments, and what is
 * another's root, wherever it lies.
 *
 * The deepest location that contains a path decides: where that is one of this purge's own (or equal to one), the path may go. A
 * write path of another keeps it, too, unless it lies no deeper than one of this purge's own: tables that write to one path share
 * it, and each may erase what only its own metadata reaches.
 */
export function keepOthers(executor: Executor, purge: Purge): KeepRule {
  const own = new Set(purge.locations.map(({ location }) => placeKey(location)))
  const directoryOf = rememberingDirectories()
  const withoutRoots = rememberingRoots(executor, purge)

  return async (paths) => {
    const directories = paths.map(directoryOf)
    const distinct = [...new Set(directories)]
    const undecided = distinct.filter(({ decided }) => !decided)
    if (undecided.length > 0) {
      const asked = undecided.map((directory) => ({ directory, ancestors: ancestorKeys(directory.key) }))
      const held = await placesAmong(
        executor,
        purge.id,
        asked.flatMap(({ ancestors }) => ancestors),
      )
      for (const { directory, ancestors } of asked) {
        directory.rule = verdict(ancestors, own, held)
        // Nobody can get a place inside this purge's own. Elsewhere somebody may, at any time: that is asked again.
        directory.own = ancestors.findLast((key) => own.has(key))
        directory.decided = directory.rule !== undefined || directory.own !== undefined
      }
    }
    const rootless = await withoutRoots(new Set(distinct.map((directory) => directory.own)))
    const suspect = new Set(
      distinct.filter(
        (directory) => directory !== nowhere && directory.rule === undefined && !rootless.has(directory.own),
      ),
    )
    if (!(await isRootAmong(executor, purge, suspect))) return directories.map(({ rule }) => rule)
    const names = paths.map((path, index) =>
      suspect.has(directories[index]!) ? canonicalLocation(path) : undefined,
    )
    const roots = await rootsAmong(
      executor,
      purge,
      names.filter((name) => name !== undefined),
    )
    return directories.map(({ rule }, index) => rule ?? roots.get(names[index] ?? ''))
  }
}

/**
 * What others have inside a purge's own locations: their places, the paths that they write to, and the folders of their roots.
 * None of them can be added while the purge is not over.
 */
export async function enclosedPlaces(executor: Executor, purge: Purge): Promise<string[]> {
  const own = purge.locations.map(({ location }) => placeKey(location))
  const enclosed = new Map<string, string>()
  for (const key of own) {
    for (const overlap of await findOverlaps(executor, key, { writePaths: true })) {
      const { location, placeKey: place, holder } = overlap
      const isOther = holder.kind === 'entry' || holder.purgeId !== purge.id
      if (isOther && place.startsWith(key) && !own.includes(place)) enclosed.set(place, location)
    }
    for (const root of await rootsIn(executor, purge, key, maxRoots)) {
      const folder = parentLocation(root)
      const around = ancestorKeys(placeKey(folder))
      if (own.includes(placeKey(folder)) || around.some((place) => enclosed.has(place))) continue
      enclosed.set(placeKey(folder), folder)
    }
  }
  return [...enclosed.values()]
}

/**
 * Whether something of others lies in one of a purge's locations, is at the very same place, or has it inside: then it must not be
 * erased as a whole. A write path around a location that the catalog has assigned does not count: nobody else's file gets a
 * name with that suffix.
 */
export async function isOverlapped(
  executor: Executor,
  purge: Purge,
  { location, owned }: PurgeLocation,
): Promise<boolean> {
  const key = placeKey(location)
  const overlaps = await findOverlaps(executor, location, { writePaths: true })
  const isForeign = overlaps.some(({ holder, reserved, placeKey: place }) => {
    if (holder.kind === 'purge' && holder.purgeId === purge.id) return false
    return reserved || !owned || place.startsWith(key)
  })
  return isForeign || (await foreignRootIn(executor, purge, key)) !== undefined
}

/** What others, and this purge, have at a place. */
interface Held {
  /** The name of the rule that follows from another's location. */
  location?: string
  /** The name of the rule that follows from another's write path. */
  writePath?: string
  ownWritePath?: boolean
}

function verdict(
  ancestors: readonly string[],
  own: ReadonlySet<string>,
  held: ReadonlyMap<string, Held>,
): string | undefined {
  let sharesPath = false
  for (const key of ancestors.toReversed()) {
    if (own.has(key)) return undefined
    const { location, writePath, ownWritePath } = held.get(key) ?? {}
    if (location !== undefined) return location
    sharesPath ||= ownWritePath === true
    if (writePath !== undefined && !sharesPath) return writePath
  }
  return undefined
}

/** Which of the keys are places, and whose. */
async function placesAmong(
  executor: Executor,
  purgeId: string,
  keys: readonly string[],
): Promise<Map<string, Held>> {
  const unique = [...new Set(keys)]
  const held = new Map<string, Held>()
  for (let at = 0; at < unique.length; at += keysPerQuery) {
    const rows = await executor
      .selectFrom('places')
      .select(['place_key', 'purge_id', 'reserved'])
      .where('place_key', 'in', unique.slice(at, at + keysPerQuery))
      .execute()
    for (const { place_key, purge_id, reserved } of rows) {
      const here = held.get(place_key) ?? {}
      held.set(place_key, here)
      if (purge_id === purgeId) {
        if (reserved === 0) here.ownWritePath = true
        continue
      }
      const member = reserved === 1 ? 'location' : 'writePath'
      // A live table's claim is the stronger one to name.
      if (purge_id === null) here[member] = 'inside-live-table'
      else here[member] ??= 'inside-unfinished-purge'
    }
  }
  return held
}

/** Gives those of the purge's own locations in which no root of others lies: mostly none does, and none can come. */
function rememberingRoots(
  executor: Executor,
  purge: Purge,
): (asked: ReadonlySet<string | undefined>) => Promise<ReadonlySet<string | undefined>> {
  const known = new Set<string | undefined>()
  const rootless = new Set<string | undefined>()
  return async (asked) => {
    for (const own of asked) {
      if (own === undefined || known.has(own)) continue
      known.add(own)
      if ((await foreignRootIn(executor, purge, own)) === undefined) rootless.add(own)
    }
    return rootless
  }
}

/** Whether a root of others may lie in one of these directories: one look at all that holds them answers mostly that none does. */
async function isRootAmong(
  executor: Executor,
  purge: Purge,
  directories: ReadonlySet<Directory>,
): Promise<boolean> {
  if (directories.size === 0) return false
  const common = commonDirectory(Array.from(directories, ({ key }) => key))
  return common === '' || (await foreignRootIn(executor, purge, common)) !== undefined
}

/** The deepest directory that holds all of these, which end with slashes as it does; empty when there is none. */
function commonDirectory([first = '', ...others]: readonly string[]): string {
  let common = first
  for (const key of others) {
    while (!key.startsWith(common)) common = common.slice(0, common.lastIndexOf('/', common.length - 2) + 1)
  }
  return common
}

interface Directory {
  readonly key: string
  /** The rule that keeps what lies in it. */
  rule: string | undefined
  /** The deepest of the purge's own locations that contains it. */
  own: string | undefined
  /** The rule stays as it is. */
  decided: boolean
}

/** A location that no storage serves is left to the storage to refuse. */
const nowhere: Directory = { key: '', rule: undefined, own: undefined, decided: true }

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
    const directory: Directory = { key, rule: undefined, own: undefined, decided: false }
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
