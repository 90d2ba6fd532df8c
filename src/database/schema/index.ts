import type { EntryTable, NamespaceTable, PlaceTable } from './catalog.ts'
import type { EventOutboxTable, EventSinkTable, EventTable } from './events.ts'
import type { IdempotencyTable } from './idempotency.ts'
import type {
  CertificateHeadTable,
  CertificateTable,
  PurgeFailureTable,
  PurgeMessageTable,
  PurgeTable,
} from './purges.ts'

/** All tables, as Kysely sees them. Columns are described in the files beside this one. */
export interface Schema {
  namespaces: NamespaceTable
  entries: EntryTable
  places: PlaceTable
  purges: PurgeTable
  purge_failures: PurgeFailureTable
  purge_messages: PurgeMessageTable
  certificates: CertificateTable
  certificate_heads: CertificateHeadTable
  idempotency_keys: IdempotencyTable
  event_outbox: EventOutboxTable
  events: EventTable
  event_sinks: EventSinkTable
}
