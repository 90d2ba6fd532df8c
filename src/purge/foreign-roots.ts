/**
 * Metadata files that others have as their root: live entries, and purges that are not over, whose drop may yet be undone. Such a
 * file may lie anywhere, since one that exists can be registered wherever it lies.
 */
import { type SqlBool, sql } from 'kysely'
import type { Executor } from '../database/database.ts'
import { beyond } from '../database/places.ts'
import { unfinished } from '../database/twins.ts'
import { canonicalLocation } from '../storage/location.ts'
import type { Purge } from './purger.ts'

/** Paths of one query. */
const pathsPerQuery = 500

/** Where in a directory a root of somebody else lies; undefined when there is none. */
export async function foreignRootIn(
  executor: Executor,
  purge: Purge,
  key: string,
): Promise<string | undefined> {
  const [found] = await rootsIn(executor, purge, key, 1)
  return found
}

/**
 * The roots of others in a directory, at most so many of entries, and of purges.
 *
 * @param key canonical, with a slash at its end.
 */
export async function rootsIn(
  executor: Executor,
  purge: Purge,
  key: string,
  limit: number,
): Promise<string[]> {
  const range = sql<SqlBool>`metadata_key >= ${key} AND metadata_key < ${beyond(key)}`
  const [entries, purges] = queries(executor, purge)
  const rows = [
    ...(await entries.where(range).limit(limit).execute()),
    ...(await purges.where(range).limit(limit).execute()),
  ]
  return rows.map(({ metadata_key }) => metadata_key)
}

/** Which of these canonical paths are roots of others, and the name of the rule that keeps them. */
export async function rootsAmong(
  executor: Executor,
  purge: Purge,
  paths: readonly string[],
): Promise<Map<string, string>> {
  const rules = new Map<string, string>()
  for (let at = 0; at < paths.length; at += pathsPerQuery) {
    const some = paths.slice(at, at + pathsPerQuery)
    const [entries, purges] = queries(executor, purge)
    for (const { metadata_key } of await purges.where('metadata_key', 'in', some).execute()) {
      rules.set(metadata_key, 'root-of-unfinished-purge')
    }
    // A live table's claim is the stronger one to name.
    for (const { metadata_key } of await entries.where('metadata_key', 'in', some).execute()) {
      rules.set(metadata_key, 'root-of-live-table')
    }
  }
  return rules
}

/** A purge of the same root erases it as well as this one: it does not keep it. */
function queries(executor: Executor, purge: Purge) {
  const purges = executor
    .selectFrom('purges')
    .select('metadata_key')
    .where(unfinished)
    .where('id', '<>', purge.id)
    .where('metadata_key', '<>', canonicalLocation(purge.metadataLocation))
  return [executor.selectFrom('entries').select('metadata_key'), purges] as const
}
