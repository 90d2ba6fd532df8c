import { sql } from 'kysely'
import { bytewiseText, type Migration, run } from './migration.ts'

/** Namespaces, tables and views, and the places on the stores that they hold. Columns: ../schema/catalog.ts. */
export const catalog: Migration = {
  name: '0001-catalog',
  async up(tx, dialect) {
    const text = bytewiseText(dialect)
    await run(tx, [
      sql`CREATE TABLE namespaces (
        id text PRIMARY KEY,
        warehouse ${text} NOT NULL,
        path ${text} NOT NULL,
        parent_id text REFERENCES namespaces (id) ON DELETE RESTRICT,
        properties text NOT NULL,
        created_at bigint NOT NULL,
        UNIQUE (warehouse, path)
      )`,
      sql`CREATE INDEX namespaces_by_parent ON namespaces (parent_id)`,

      sql`CREATE TABLE entries (
        id text PRIMARY KEY,
        warehouse ${text} NOT NULL,
        namespace_id text NOT NULL REFERENCES namespaces (id) ON DELETE RESTRICT,
        name ${text} NOT NULL,
        kind text NOT NULL CHECK (kind IN ('table', 'view')),
        uuid text,
        metadata_location ${text} NOT NULL,
        metadata_key ${text} NOT NULL,
        location ${text} NOT NULL,
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        UNIQUE (namespace_id, name)
      )`,
      sql`CREATE INDEX entries_by_metadata_key ON entries (metadata_key)`,
      sql`CREATE INDEX entries_by_uuid ON entries (uuid)`,

      sql`CREATE TABLE places (
        id text PRIMARY KEY,
        location ${text} NOT NULL,
        place_key ${text} NOT NULL,
        owned integer NOT NULL CHECK (owned IN (0, 1)),
        entry_id text,
        purge_id text,
        created_at bigint NOT NULL,
        CHECK ((entry_id IS NULL) <> (purge_id IS NULL))
      )`,
      sql`CREATE INDEX places_by_key ON places (place_key)`,
      sql`CREATE INDEX places_by_entry ON places (entry_id) WHERE entry_id IS NOT NULL`,
      sql`CREATE INDEX places_by_purge ON places (purge_id) WHERE purge_id IS NOT NULL`,
    ])
  },
}
