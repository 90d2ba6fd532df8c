import type { Transaction } from '../../database/database.ts'
import { namespacePath } from '../../database/namespace-path.ts'
import { findOverlaps, insertPlace, locationConflict } from '../../database/places.ts'
import type { Namespace } from '../../iceberg/identifier.ts'
import { placeKey } from '../../storage/location.ts'
import type { Properties } from '../catalog.ts'
import type { CatalogContext } from './context.ts'

/**
 * Reserves a location for an entry, which may hold it already. Throws LocationConflictException when it overlaps a
 * place of another entry or of an unfinished purge. Places have to be locked: exclusively unless the location ends
 * with a uuid that was made for it just now.
 */
export async function reservePlace(
  tx: Transaction,
  place: { location: string; owned: boolean; entryId: string; now: number },
): Promise<void> {
  const overlaps = await findOverlaps(tx, place.location)
  const isOwn = ({ holder }: (typeof overlaps)[number]) =>
    holder.kind === 'entry' && holder.entryId === place.entryId
  const conflict = overlaps.find((overlap) => !isOwn(overlap))
  if (conflict) throw locationConflict(place.location, conflict)
  const key = placeKey(place.location)
  if (overlaps.some((overlap) => overlap.placeKey === key)) return
  await insertPlace(tx, place)
}

/** Under what the locations of a namespace's entries are assigned: its `location` property, else the warehouse's. */
export async function locationBase(
  context: CatalogContext,
  namespace: Namespace,
): Promise<{ location: string; ofNamespace: boolean }> {
  const row = await context.database.reader
    .selectFrom('namespaces')
    .select('properties')
    .where('warehouse', '=', context.warehouse)
    .where('path', '=', namespacePath(namespace))
    .executeTakeFirst()
  const properties = row && (JSON.parse(row.properties) as Properties)
  const own = properties?.location?.replace(/\/+$/, '')
  return own ? { location: own, ofNamespace: true } : { location: context.location, ofNamespace: false }
}
