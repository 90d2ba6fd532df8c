import { type RawBuilder, sql } from 'kysely'
import type { Dialect } from '../database.ts'
import { bytewiseText, type Migration, run } from './migration.ts'

/**
 * The outbox of events. Triggers fill it in the transaction of the change itself, so that no change is without its event and
 * no event without its change, whoever writes; only while `event_outbox` has its row. Columns: ../schema/events.ts.
 */
export const events: Migration = {
  name: '0006-events',
  async up(tx, dialect) {
    const text = bytewiseText(dialect)
    const sequence = sql.raw(
      dialect === 'postgres'
        ? 'bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY'
        : 'integer PRIMARY KEY AUTOINCREMENT',
    )
    await run(tx, [
      sql`CREATE TABLE event_outbox (
        one integer PRIMARY KEY CHECK (one = 1),
        lease_owner text,
        lease_expires_at bigint
      )`,
      sql`CREATE TABLE events (
        sequence ${sequence},
        type text NOT NULL,
        warehouse ${text} NOT NULL,
        subject ${text} NOT NULL,
        occurred_at bigint NOT NULL,
        data text NOT NULL
      )`,
      ...namespaceTriggers(dialect),
      ...entryTriggers(dialect),
      ...purgeTriggers(dialect),
    ])
  },
}

function namespaceTriggers(dialect: Dialect): RawBuilder<unknown>[] {
  const event = (type: string, row: 'NEW' | 'OLD') =>
    record(dialect, `'namespace.${type}'`, `${row}.warehouse`, `${row}.id`, { namespace: `${row}.path` })
  return [
    ...trigger(dialect, 'namespaces', 'created', 'INSERT', event('created', 'NEW')),
    ...trigger(dialect, 'namespaces', 'updated', 'UPDATE', event('updated', 'NEW')),
    ...trigger(dialect, 'namespaces', 'dropped', 'DELETE', event('dropped', 'OLD')),
  ]
}

function entryTriggers(dialect: Dialect): RawBuilder<unknown>[] {
  const event = (type: string, row: 'NEW' | 'OLD', more: Readonly<Record<string, string>> = {}) =>
    record(dialect, `${row}.kind || '.${type}'`, `${row}.warehouse`, `${row}.id`, {
      namespace: namespaceOf(`${row}.namespace_id`),
      name: `${row}.name`,
      uuid: `${row}.uuid`,
      'metadata-location': `${row}.metadata_location`,
      ...more,
    })
  const renamed = 'OLD.name <> NEW.name OR OLD.namespace_id <> NEW.namespace_id'
  const committed = 'OLD.metadata_location <> NEW.metadata_location'
  return [
    ...trigger(dialect, 'entries', 'created', 'INSERT', event('created', 'NEW')),
    ...trigger(
      dialect,
      'entries',
      'committed',
      'UPDATE',
      event('committed', 'NEW', { 'previous-metadata-location': 'OLD.metadata_location' }),
      committed,
    ),
    ...trigger(
      dialect,
      'entries',
      'renamed',
      'UPDATE',
      event('renamed', 'NEW', {
        'previous-namespace': namespaceOf('OLD.namespace_id'),
        'previous-name': 'OLD.name',
      }),
      renamed,
    ),
    ...trigger(dialect, 'entries', 'dropped', 'DELETE', event('dropped', 'OLD')),
  ]
}

function purgeTriggers(dialect: Dialect): RawBuilder<unknown>[] {
  const event = (previous: string) =>
    record(dialect, `'purge.' || NEW.state`, 'NEW.warehouse', 'NEW.id', {
      purge: 'NEW.id',
      'previous-state': previous,
      kind: 'NEW.kind',
      namespace: 'NEW.namespace',
      name: 'NEW.name',
      uuid: 'NEW.uuid',
      'metadata-location': 'NEW.metadata_location',
      purger: 'NEW.purger',
      principal: 'NEW.principal',
      'request-id': 'NEW.request_id',
      attempt: 'NEW.attempts',
      error: 'NEW.last_error',
      'hold-reason': 'NEW.hold_reason',
    })
  return [
    ...trigger(dialect, 'purges', 'recorded', 'INSERT', event('NULL')),
    ...trigger(dialect, 'purges', 'moved', 'UPDATE', event('OLD.state'), 'OLD.state <> NEW.state'),
  ]
}

function namespaceOf(id: string): string {
  return `(SELECT path FROM namespaces WHERE id = ${id})`
}

/** A row of `events`; none while `event_outbox` has none. */
function record(
  dialect: Dialect,
  type: string,
  warehouse: string,
  subject: string,
  data: Readonly<Record<string, string>>,
): string {
  const members = Object.entries(data).flatMap(([name, value]) => [`'${name}'`, value])
  const [object, now] =
    dialect === 'postgres'
      ? ['json_build_object', '(extract(epoch FROM clock_timestamp()) * 1000)::bigint']
      : ['json_object', `CAST(unixepoch('subsec') * 1000 AS integer)`]
  return `INSERT INTO events (type, warehouse, subject, occurred_at, data)
    SELECT ${type}, ${warehouse}, ${subject}, ${now}, ${object}(${members.join(', ')}) FROM event_outbox;`
}

function trigger(
  dialect: Dialect,
  table: string,
  name: string,
  change: 'INSERT' | 'UPDATE' | 'DELETE',
  statement: string,
  condition?: string,
): RawBuilder<unknown>[] {
  const id = `${table}_${name}_event`
  const when = condition === undefined ? '' : `WHEN (${condition})`
  if (dialect === 'sqlite') {
    return [sql.raw(`CREATE TRIGGER ${id} AFTER ${change} ON ${table} ${when} BEGIN ${statement} END`)]
  }
  return [
    sql.raw(
      `CREATE FUNCTION ${id}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${statement} RETURN NULL; END $$`,
    ),
    sql.raw(`CREATE TRIGGER ${id} AFTER ${change} ON ${table} FOR EACH ROW ${when} EXECUTE FUNCTION ${id}()`),
  ]
}
