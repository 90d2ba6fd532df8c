/** Rows of namespaces, tables and views, and of the places on the stores that they reserve. */
import type { Generated } from 'kysely'

export interface NamespaceTable {
  /** UUID. */
  id: string
  warehouse: string
  /** Levels joined by U+001F, which no level may hold. */
  path: string
  /** `id` of the enclosing namespace; null at the top. */
  parent_id: string | null
  /** JSON object of strings. */
  properties: string
  /** Milliseconds since the epoch, as every `*_at` column. */
  created_at: number
}

/** A table or a view: one name space, so that the database itself keeps their names apart. */
export interface EntryTable {
  /** UUID of the entry; a re-created table gets another. */
  id: string
  warehouse: string
  namespace_id: string
  name: string
  kind: 'table' | 'view'
  /** `table-uuid` or `view-uuid`, lower case; null for v1 metadata without one. */
  uuid: string | null
  /** The current metadata file as written by whoever wrote it. Commits compare and swap this column. */
  metadata_location: string
  /** Canonical form of `metadata_location` (storage/location.ts), for equality across spellings. */
  metadata_key: string
  /** The metadata's `location`. */
  location: string
  created_at: number
  updated_at: number
}

/**
 * A place that a live entry or an unfinished purge holds. A drop with purge moves the rows from the entry to the
 * purge in its own transaction; there is no moment without a holder.
 */
export interface PlaceTable {
  /** UUID. */
  id: string
  /** The location as spelled. */
  location: string
  /** Canonical form with a trailing slash, so that whole segments compare by prefix. */
  place_key: string
  /** 1: assigned by the catalog with a unique suffix. 0: chosen by a user. */
  owned: number
  /** 1: a location, which its holder has for itself. 0: a path outside of it to which the holder's table writes, as others may. */
  reserved: Generated<number>
  entry_id: string | null
  purge_id: string | null
  created_at: number
}
