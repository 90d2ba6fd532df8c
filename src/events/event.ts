/** What has happened, in the form in which sinks get it: CloudEvents 1.0, structured JSON. */
import { namespaceLevels } from '../database/namespace-path.ts'
import type { EventTable } from '../database/schema/events.ts'

type Kind = 'table' | 'view'

/** Every type of event. `moulin.` before it makes the `type` of CloudEvents. */
export type EventType =
  | `namespace.${'created' | 'updated' | 'dropped'}`
  /** `created` is registration, too. */
  | `${Kind}.${'created' | 'committed' | 'renamed' | 'dropped'}`
  /** The state that a purge is in now; `purge.pending` after an attempt that failed, too. */
  | `purge.${'retained' | 'pending' | 'running' | 'handed_off' | 'held' | 'failed' | 'succeeded' | 'cancelled'}`

export interface CloudEvent {
  readonly specversion: '1.0'
  /** Unique with `source`; the same when the event is sent again. */
  readonly id: string
  /** `/warehouses/NAME` */
  readonly source: string
  readonly type: `moulin.${EventType}`
  /** Id of the namespace, table, view or purge: events of one subject come in order. */
  readonly subject: string
  /** RFC 3339, by the database's clock. */
  readonly time: string
  readonly datacontenttype: 'application/json'
  /** See docs/reference/events.md. */
  readonly data: Readonly<Record<string, unknown>>
}

/** Members of the data that are stored as paths. */
const namespaces = ['namespace', 'previous-namespace'] as const

export type StoredEvent = Omit<EventTable, 'sequence'> & { readonly sequence: number }

export function cloudEvent(row: StoredEvent): CloudEvent {
  const stored = JSON.parse(row.data) as Record<string, unknown>
  const data = Object.fromEntries(Object.entries(stored).filter(([, value]) => value !== null))
  for (const member of namespaces) {
    if (typeof data[member] === 'string') data[member] = namespaceLevels(data[member])
  }
  return {
    specversion: '1.0',
    id: String(row.sequence),
    source: `/warehouses/${encodeURIComponent(row.warehouse)}`,
    type: `moulin.${row.type as EventType}`,
    subject: row.subject,
    time: new Date(row.occurred_at).toISOString(),
    datacontenttype: 'application/json',
    data,
  }
}
