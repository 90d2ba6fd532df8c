/** The keep rule: which files of the reach belong to others as well. */
import type { Executor } from '../database/database.ts'
import { InvalidLocationError } from '../storage/file-io.ts'
import { ancestorKeys, canonicalLocation, placeKey } from '../storage/location.ts'
import { foreignRootIn, rootsAmong } from './foreign-roots.ts'
import { enclosedPlaces } from './guard.ts'
import type { KeepRule, Purge } from './purger.ts'

/** Directories that are remembered with their answers; a table has few compared with its files. */
const rememberedDirectories = 50_000
/** Keys of one query. */
const keysPerQuery = 500

/**
 * Keeps what lies inside the place of another entry, or of another purge that is not finished, by whole segments, and what is
 * another's root, wherever it lies.
 *
 * The deepest location that contains a path decides: where that is one of this purge's own (or equal to one), the path may go. A
 * write path of another keeps it, too, unless it lies no deeper than one of this purge's own: tables that write to one path share
 * it, and each may erase what only its own metadata reaches.
 */
export function keepOthers(executor: Executor, purge: Purge): KeepRule {
  const byDirectory = keepByDirectory(executor, purge)
  let places: OwnLocations | undefined
  return async (paths) => {
    places ??= await ownLocations(executor, purge)
    const rules = new Array<string | undefined>(paths.length).fill(undefined)
    const others: string[] = []
    const indexes: number[] = []
    for (let index = 0; index < paths.length; index++) {
      if (isInOneOf(places.open, paths[index]!)) continue
      others.push(paths[index]!)
      indexes.push(index)
    }
    if (others.length === 0) return rules
    const found = await byDirectory(others, places.rootless)
    for (const [at, index] of indexes.entries()) rules[index] = found[at]
    return rules
  }
}

function isInOneOf(keys: readonly string[], path: string): boolean {
  for (const key of keys) if (path.startsWith(key)) return true
  return false
}

/** The purge's own locations, as place keys, by what others have there. Nothing can come there as long as the purge is not over. */
interface OwnLocations {
  /** No root of others lies there. */
  readonly rootless: ReadonlySet<string | undefined>
  /**
   * Nothing of others lies there: what does may go, whatever its directory. Of object stores only, where a name that begins with
   * the place lies in it.
   */
  readonly open: readonly string[]
}

async function ownLocations(executor: Executor, purge: Purge): Promise<OwnLocations> {
  const enclosed = (await enclosedPlaces(executor, purge)).map(placeKey)
  const rootless = new Set<string>()
  for (const { location } of purge.locations) {
    const key = placeKey(location)
    if ((await foreignRootIn(executor, purge, key)) === undefined) rootless.add(key)
  }
  const open = [...rootless].filter(
    (key) => !key.startsWith('file:') && !enclosed.some((place) => place.startsWith(key)),
  )
  return { rootless, open }
}

function keepByDirectory(
  executor: Executor,
  purge: Purge,
): (paths: readonly string[], rootless: OwnLocations['rootless']) => Promise<(string | undefined)[]> {
  const own = new Set(purge.locations.map(({ location }) => placeKey(location)))
  const directoryOf = rememberingDirectories()

  return async (paths, rootless) => {
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
