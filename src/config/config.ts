import type { StorageOptions } from '../storage/options.ts'

/** The configuration as the rest of the program sees it: complete, checked, frozen. Made by `load.ts`. */
export interface Config {
  readonly server: ServerConfig
  readonly database: DatabaseConfig
  readonly warehouses: Readonly<Record<string, WarehouseConfig>>
  readonly purge: EngineConfig
  readonly events: EventsConfig
  readonly logging: LoggingConfig
}

/** How this server works on purges for which no `DELETE` waits. Times are milliseconds. */
export interface EngineConfig {
  /** Purges worked on at a time. @default 4 */
  readonly workers: number
  /** @default 5000 */
  readonly pollInterval: number
  /** Purges that one transaction claims. @default 16 */
  readonly claimBatch: number
  /** Files a second that this process deletes, over all warehouses. @default no limit */
  readonly filesPerSecond: number | undefined
}

export interface ServerConfig {
  /** @default "127.0.0.1" */
  readonly host: string
  /** 0 lets the system choose. @default 8181 */
  readonly port: number
  /** Serve on an address other than loopback although nothing is authenticated yet. @default false */
  readonly allowInsecure: boolean
  /** Largest request body, bytes. @default 67108864 */
  readonly maxBodyBytes: number
  /** Milliseconds that requests in flight get at a stop. @default 10000 */
  readonly shutdownTimeout: number
  /** Milliseconds for which answers are kept under an Idempotency-Key. @default 1800000 */
  readonly idempotencyKeyLifetime: number
}

export interface DatabaseConfig {
  /** `sqlite:FILE` or `postgres://…`. @default "sqlite:moulin-data/catalog.db" */
  readonly url: string
  /** Connections to PostgreSQL. @default 16 */
  readonly poolSize: number
}

export interface WarehouseConfig {
  /** Directory-like URI under which locations are assigned, without a trailing slash. */
  readonly location: string
  readonly storage: StorageConfig
  readonly catalog: CatalogConfig
  readonly purge: PurgeConfig
}

export type StorageConfig = StorageOptions

export interface CatalogConfig {
  /** Moulin's own catalog in its database. @default "sql" */
  readonly type: 'sql'
}

/** What happens to the files of a warehouse's dropped tables. Times are milliseconds. */
export interface PurgeConfig {
  /** Alias or module specifier of the purger. @default "sql-async" */
  readonly purger: string
  /** Handed to the purger's factory. @default {} */
  readonly options: Readonly<Record<string, unknown>>
  /** Other purgers, for some of the tables; the first whose conditions hold. @default [] */
  readonly routes: readonly PurgeRoute[]
  /** Whether a dropped view's metadata files are erased. @default false */
  readonly views: boolean
  /** Batches of one purge in flight. @default 8 */
  readonly deleteConcurrency: number
  /** @default 300000 */
  readonly leaseTimeout: number
  /** Attempts in a row that erase nothing. @default 5 */
  readonly maxAttempts: number
  /** @default 30000 */
  readonly backoffBase: number
  /** @default 3600000 */
  readonly backoffMax: number
  /** Higher goes first, whichever the warehouse. @default 0 */
  readonly priority: number
  /** For which ended purges stay in the ledger. @default 604800000 */
  readonly completedRetention: number
  /** In which a drop can be undone. @default 0 */
  readonly retention: number
  /** What is erased beyond the reach. @default "owned" */
  readonly sweep: 'owned' | 'all' | 'report'
  /** Which versions of swept locations are erased, in stores that keep them. @default "current" */
  readonly versions: 'current' | 'all'
  /** Of the process's workers, that work on purges of this warehouse at a time. @default 4 */
  readonly workers: number
  /** Between two looks for purges of this warehouse. @default 5000 */
  readonly pollInterval: number
  /** Purges of this warehouse that one transaction claims. @default 16 */
  readonly claimBatch: number
  /** Files of this warehouse that a process deletes in a second. @default no limit */
  readonly filesPerSecond: number | undefined
}

export interface EventsConfig {
  /** Undefined: as it was. Empty: nothing is recorded. */
  readonly sinks: readonly EventSinkConfig[] | undefined
}

export interface EventSinkConfig {
  readonly type: 'kafka'
  readonly options: Readonly<Record<string, unknown>>
}

export interface PurgeRoute {
  /** All that are given must hold. */
  readonly when: {
    /** Files that the table's manifests name. */
    readonly minFiles: number | undefined
    readonly property: string | undefined
    /** Of the property; any when undefined. */
    readonly value: string | undefined
  }
  readonly purger: string
  readonly options: Readonly<Record<string, unknown>>
}

export interface LoggingConfig {
  /** @default "info" */
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
}
