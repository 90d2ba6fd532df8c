/**
 * What protects other tables from a purge. A metadata file lists whatever its writer put there; that a path is
 * reachable does not make it this table's alone.
 */
import type { Selectable } from 'kysely'
import type { Executor, Transaction } from '../database/database.ts'
import { namespaceLevels } from '../database/namespace-path.ts'
import type { PurgeTable } from '../database/schema/purges.ts'
import { InvalidLocationError } from '../storage/file-io.ts'
import { ancestorKeys, canonicalLocation, placeKey } from '../storage/location.ts'
import type { KeepRule, Purge } from './purger.ts'

/**
 * Why the purge has to wait for a person: a live entry with the same metadata file, or the same UUID, is the same table
 * under another name, and all its files are reachable from here. So is one whose drop can still be undone: a purge that
 * is retained, or held by an operator. (One that the guard holds does not count: two could hold each other for ever.)
 * Undefined when there is none.
 *
 * Runs in the claim's transaction with the places locked, as registering does: neither can miss the other.
 */
export async function sharedWith(
  tx: Transaction,
  row: Pick<Selectable<PurgeTable>, 'id' | 'metadata_key' | 'uuid'>,
): Promise<string | undefined> {
  const live = await tx
    .selectFrom('entries')
    .innerJoin('namespaces', 'namespaces.id', 'entries.namespace_id')
    .select(['entries.name', 'entries.warehouse', 'entries.metadata_key', 'namespaces.path'])
    .where((where) =>
      row.uuid === null
        ? where('entries.metadata_key', '=', row.metadata_key)
        : where.or([
            where('entries.metadata_key', '=', row.metadata_key),
            where('entries.uuid', '=', row.uuid),
          ]),
    )
    .executeTakeFirst()
  if (live)
    return `The live table ${nameOf(live)} has the same ${sharedPart(live, row)}: erasing the files would destroy it.`
  const undoable = await tx
    .selectFrom('purges')
    .select(['id', 'name', 'warehouse', 'metadata_key', 'namespace as path'])
    .where('id', '<>', row.id)
    .where('state', 'not in', ['succeeded', 'cancelled'])
    .where('begun_at', 'is', null)
    .where((where) =>
      where.or([
        where('state', '=', 'retained'),
        where.and([where('state', '=', 'held'), where('held_by', '=', 'operator')]),
      ]),
    )
    .where((where) =>
      row.uuid === null
        ? where('metadata_key', '=', row.metadata_key)
        : where.or([where('metadata_key', '=', row.metadata_key), where('uuid', '=', row.uuid)]),
    )
    .executeTakeFirst()
  if (!undoable) return undefined
  return `The dropped table ${nameOf(undoable)} has the same ${sharedPart(undoable, row)}, and its drop can still be undone (purge ${undoable.id}).`
}

function nameOf(other: { readonly path: string; readonly name: string; readonly warehouse: string }): string {
  return `${[...namespaceLevels(other.path), other.name].join('.')} of warehouse ${other.warehouse}`
}

function sharedPart(
  other: { readonly metadata_key: string },
  row: { readonly metadata_key: string },
): string {
  return other.metadata_key === row.metadata_key ? 'metadata file' : 'UUID'
}

/** Directories whose answer is remembered; a table has few compared with its files. */
const rememberedDirectories = 50_000
/** Keys of one query. */
const keysPerQuery = 500

/**
 * Keeps what lies inside the place of another entry, or of another purge that is not finished, by whole segments. The
 * deepest place that contains a path decides: where that is one of this purge's own (or equal to one), the path may go.
 */
export function keepOthers(executor: Executor, purge: Purge): KeepRule {
  const own = new Set(purge.locations.map(({ location }) => placeKey(location)))
  const verdicts = new Map<string, string | undefined>()

  const directoryOf = rememberingDirectories()

  return async (paths) => {
    const directories = paths.map(directoryOf)
    const asked = new Set(directories.filter((directory) => directory !== undefined))
    if (verdicts.size + asked.size > rememberedDirectories) verdicts.clear()
    const unknown = [...asked].filter((directory) => !verdicts.has(directory))
    const found = new Map<string, string | undefined>()
    if (unknown.length > 0) {
      const held = await placesAmong(executor, purge.id, unknown.flatMap(ancestorKeys))
      for (const directory of unknown) {
        const rule = verdict(directory, own, held)
        found.set(directory, rule)
        // Nobody can get a place inside this purge's own. Elsewhere somebody may, at any time: that is asked again.
        const isOwn = ancestorKeys(directory).some((key) => own.has(key))
        if (isOwn || rule !== undefined) verdicts.set(directory, rule)
      }
    }
    // A location that no storage serves is left to the storage to refuse.
    return directories.map((directory) =>
      directory === undefined ? undefined : (found.get(directory) ?? verdicts.get(directory)),
    )
  }
}

function verdict(
  directory: string,
  own: ReadonlySet<string>,
  held: ReadonlyMap<string, string>,
): string | undefined {
  for (const key of ancestorKeys(directory).toReversed()) {
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

/** Gives the key of the directory that holds a path; undefined for what is no location at all. */
function rememberingDirectories(): (path: string) => string | undefined {
  const keys = new Map<string, string>()
  return (path) => {
    const nameAt = path.lastIndexOf('/') + 1
    // On a local disk these two are no names.
    if (path.endsWith('/.') || path.endsWith('/..')) return directoryOf(path)
    const written = path.slice(0, nameAt)
    const remembered = keys.get(written)
    if (remembered !== undefined) return remembered
    const key = directoryOf(path)
    if (keys.size >= rememberedDirectories) keys.clear()
    if (key !== undefined) keys.set(written, key)
    return key
  }
}

function directoryOf(path: string): string | undefined {
  try {
    const canonical = canonicalLocation(path)
    return canonical.slice(0, canonical.lastIndexOf('/') + 1)
  } catch (error) {
    if (error instanceof InvalidLocationError) return undefined
    throw error
  }
}
