import { type RawBuilder, sql } from 'kysely'
import type { Dialect } from '../database.ts'
import { type Migration, run } from './migration.ts'

/**
 * Asking an engine elsewhere about a purge is no event: it is claimed, is running for a moment, and is handed off as before. What
 * it comes to otherwise is one, told as the step from `handed_off`. Columns: ../schema/purges.ts.
 */
export const inspections: Migration = {
  name: '0007-inspections',
  async up(tx, dialect) {
    await run(tx, [
      sql`ALTER TABLE purges ADD COLUMN claimed_from text`,
      ...without(dialect, 'purges_moved_event'),
      ...trigger(dialect, 'purges_moved_event'),
    ])
  },
}

/** The claim of an inspection, and its end when nothing has changed. */
const isTold = `OLD.state <> NEW.state
  AND NOT (OLD.state = 'handed_off' AND NEW.state = 'running')
  AND NOT (OLD.state = 'running' AND NEW.state = 'handed_off' AND coalesce(OLD.claimed_from, '') = 'handed_off')`

const before = `CASE WHEN OLD.state = 'running' AND OLD.claimed_from = 'handed_off' THEN 'handed_off' ELSE OLD.state END`

function without(dialect: Dialect, name: string): RawBuilder<unknown>[] {
  if (dialect === 'sqlite') return [sql.raw(`DROP TRIGGER ${name}`)]
  return [sql.raw(`DROP TRIGGER ${name} ON purges`), sql.raw(`DROP FUNCTION ${name}()`)]
}

function trigger(dialect: Dialect, name: string): RawBuilder<unknown>[] {
  const [object, now] =
    dialect === 'postgres'
      ? ['json_build_object', '(extract(epoch FROM clock_timestamp()) * 1000)::bigint']
      : ['json_object', `CAST(unixepoch('subsec') * 1000 AS integer)`]
  const statement = `INSERT INTO events (type, warehouse, subject, occurred_at, data)
    SELECT 'purge.' || NEW.state, NEW.warehouse, NEW.id, ${now}, ${object}(
      'purge', NEW.id,
      'previous-state', ${before},
      'kind', NEW.kind,
      'namespace', NEW.namespace,
      'name', NEW.name,
      'uuid', NEW.uuid,
      'metadata-location', NEW.metadata_location,
      'purger', NEW.purger,
      'principal', NEW.principal,
      'request-id', NEW.request_id,
      'attempt', NEW.attempts,
      'error', NEW.last_error,
      'hold-reason', NEW.hold_reason
    ) FROM event_outbox;`
  if (dialect === 'sqlite') {
    return [sql.raw(`CREATE TRIGGER ${name} AFTER UPDATE ON purges WHEN (${isTold}) BEGIN ${statement} END`)]
  }
  return [
    sql.raw(
      `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${statement} RETURN NULL; END $$`,
    ),
    sql.raw(
      `CREATE TRIGGER ${name} AFTER UPDATE ON purges FOR EACH ROW WHEN (${isTold}) EXECUTE FUNCTION ${name}()`,
    ),
  ]
}
