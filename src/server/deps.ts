import type { Logger } from 'pino'
import type { Catalog } from '../catalog/catalog.ts'
import type { ServerConfig, WarehouseConfig } from '../config/config.ts'
import type { Database } from '../database/database.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Pacer } from '../purge/deletion/pacer.ts'
import type { RateLimit } from '../purge/deletion/rate-limit.ts'
import type { Ledger } from '../purge/ledger/ledger.ts'
import type { Purgers } from '../purge/routing.ts'
import type { Authorizer } from '../security/authorizer.ts'
import type { FileIO } from '../storage/file-io.ts'

/** One warehouse, ready to serve. Its purgers' `waits` says whether DELETE waits, and they hear call-backs; the workers have their own. */
export interface Warehouse extends Purgers {
  readonly name: string
  readonly catalog: Catalog
  readonly io: FileIO
  readonly config: WarehouseConfig
  /** Files a second that may be deleted here. */
  readonly rateLimit: RateLimit | undefined
  close(): Promise<void>
}

/** What the routes work with. */
export interface Dependencies {
  readonly warehouses: ReadonlyMap<string, Warehouse>
  readonly database: Database
  readonly ledger: Ledger
  /** Paces the deletions of this thread: those for which a DELETE waits. */
  readonly pacer: Pacer
  /** Tells the workers of this server that a purge may be due. */
  notifyWorkers(): void
  readonly authorizer: Authorizer
  readonly logger: Logger
  readonly metrics: Metrics
  readonly config: ServerConfig
  /** `host:pid`. */
  readonly identity: string
  /** Aborted when the server begins to stop: it is not ready any more, but finishes what is under way. */
  readonly draining: AbortSignal
  /** Aborted when the time for that is over. */
  readonly stopping: AbortSignal
}
