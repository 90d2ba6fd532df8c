/**
 * Where a table or view writes outside of its location. Who sweeps a location has to know whose files lie there, and nobody may begin
 * to write where a purge is erasing.
 */
import type { Transaction } from '../../database/database.ts'
import { insertPlace, placesAround } from '../../database/places.ts'
import { IcebergError, isIcebergError } from '../../iceberg/errors.ts'
import { placeKey } from '../../storage/location.ts'
import type { Kind } from './kinds.ts'
import { checkLocation } from './locations.ts'

/** Properties that lead writers elsewhere; the last two are deprecated, and still obeyed. */
const properties = [
  'write.metadata.path',
  'write.data.path',
  'write.object-storage.path',
  'write.folder-storage.path',
]

/** The paths that metadata names as those to write to, but for what lies in its location. Those that no store here serves are passed over. */
export function writePathsOf<M>(kind: Kind<M>, metadata: M): string[] {
  const given = kind.properties(metadata)
  const location = placeKey(kind.location(metadata))
  const paths = new Map<string, string>()
  for (const name of properties) {
    const path = given[name]
    if (path === undefined || !isServed(path)) continue
    const key = placeKey(path)
    if (!key.startsWith(location) && !paths.has(key)) paths.set(key, path)
  }
  return [...paths.values()]
}

/**
 * Notes that an entry writes to these paths. Other tables may do so, too, and they may lie in another's location: that is the
 * user's choice. Throws LocationConflictException when one lies in a location of a purge that is not over. Places have to be locked
 * exclusively.
 */
export async function noteWritePaths(
  tx: Transaction,
  paths: readonly string[],
  { entryId, now }: { readonly entryId: string; readonly now: number },
): Promise<void> {
  for (const path of paths) {
    const around = await placesAround(tx, path)
    const purged = around.find(({ reserved, holder }) => reserved && holder.kind === 'purge')
    if (purged?.holder.kind === 'purge') throw beingErased(path, purged.location, purged.holder.purgeId)
    const key = placeKey(path)
    const isKnown = around.some(
      ({ placeKey: known, holder }) => known === key && holder.kind === 'entry' && holder.entryId === entryId,
    )
    if (!isKnown) await insertPlace(tx, { location: path, owned: false, reserved: false, entryId, now })
  }
}

function beingErased(path: string, location: string, purgeId: string): IcebergError {
  return new IcebergError(
    'LocationConflictException',
    `The table cannot write to ${path}: it lies in ${location}, which is held by an unfinished purge ${purgeId}. Choose another path, or wait until the purge is over.`,
  )
}

function isServed(path: string): boolean {
  try {
    checkLocation(path)
    return true
  } catch (error) {
    if (isIcebergError(error)) return false
    throw error
  }
}
