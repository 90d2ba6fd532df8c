/**
 * The service provider interface of purges.
 *
 * Words used here (all of them in docs/architecture.md): a *purge* is the erasing of the files of one dropped
 * table or view, one row of the *ledger*. A *purger* is a strategy that gets them erased. The server owns the
 * ledger, the lease, the retries and the record; a purger is one small class.
 *
 * A module that default-exports an {@link IcebergPurgerFactory} is a plug-in: it is named in the configuration by
 * its specifier (`purger: "@acme/moulin-batch"`) and found with `import()`.
 */
import type { Logger } from 'pino'
import type { FileIO } from '../storage/file-io.ts'

/** What is to be erased. Immutable; holds no credentials. */
export interface Purge {
  /** UUID of the ledger row. */
  readonly id: string
  readonly kind: 'table' | 'view'
  readonly warehouse: string
  readonly namespace: readonly string[]
  /** Name of the dropped table or view. */
  readonly name: string
  /** `table-uuid` or `view-uuid` of the metadata, if it has one. */
  readonly uuid: string | undefined
  /** The root: the metadata file that the catalog entry named when it was dropped. */
  readonly metadataLocation: string
  /** Every location that the table has had, the current one first. */
  readonly locations: readonly PurgeLocation[]
  readonly request: PurgeRequest
}

export interface PurgeLocation {
  readonly location: string
  /** Assigned by the catalog with a unique suffix; only such a location may ever be swept. */
  readonly owned: boolean
}

/** Who asked, decided on the request and never later. */
export interface PurgeRequest {
  readonly principal: string
  readonly requestId: string
  /** The client's `User-Agent`, cut at 200 characters. */
  readonly client: string
  /** Milliseconds since the epoch, by the database's clock. */
  readonly requestedAt: number
}

/** What the server lends to a purger while it works on one purge. */
export interface PurgeRun {
  /** Aborted when the lease is lost or the server stops: stop before the next batch. */
  readonly signal: AbortSignal
  /** Fencing token: grows with every claim of this purge. */
  readonly epoch: number
  /** 1 for the first attempt. */
  readonly attempt: number
  readonly logger: Logger
  /** Files of the purge's warehouse, with credentials resolved for this attempt. */
  readonly io: FileIO
  /** Which paths must stay, of those that other tables hold; see `guard.ts`. */
  readonly keep: KeepRule
  /** The stage that an earlier attempt had begun; `data` for a first one. All stages before it are done. */
  readonly stage: Stage
  /** Notes that a stage begins. Durable when it resolves: only then may its files be missing without alarm. */
  begin(stage: Stage): Promise<void>
  /** Now, milliseconds since the epoch. Under a test's control. */
  now(): number
  /** Adds to the purge's counters; written to the ledger with the lease's epoch at the next beat. */
  progress(delta: OutcomeCounts): void
  /** Names a path that could not be erased. Durable when it resolves. */
  report(failures: readonly PathFailure[]): Promise<void>
}

/** Tells of each path why it must not be erased (the name of a rule), or undefined when it may. */
export type KeepRule = (paths: readonly string[]) => Promise<readonly (string | undefined)[]>

/** The stages of a reach, in the order in which they are erased: leaves before parents, the root last. */
export const stages = ['data', 'manifests', 'manifest-lists', 'statistics', 'metadata', 'root'] as const
export type Stage = (typeof stages)[number]

export const outcomes = ['deleted', 'absent', 'kept', 'blocked', 'failed'] as const
export type Outcome = (typeof outcomes)[number]

/** Number of paths by stage and outcome; missing means 0. */
export type OutcomeCounts = { readonly [S in Stage]?: { readonly [O in Outcome]?: number } }

export interface PathFailure {
  readonly path: string
  readonly stage: Stage
  readonly outcome: 'blocked' | 'failed'
  /** The store's error code, or `kept`-like rule name. */
  readonly code: string
  readonly message: string
}

export type PurgeResult =
  /** Everything that can be erased has been. */
  | { readonly kind: 'done' }
  /** An external engine does the work; the server will `inspect` the reference until it is finished. */
  | { readonly kind: 'handed_off'; readonly reference: string }

export type Inspection =
  | { readonly state: 'running'; readonly counts?: OutcomeCounts }
  | { readonly state: 'finished'; readonly counts?: OutcomeCounts }
  | { readonly state: 'failed'; readonly message: string }

export interface IcebergPurger {
  /** The alias or specifier under which it is known in the ledger. */
  readonly name: string
  /** True when `DELETE` answers only after `purge` is done. */
  readonly waits: boolean
  /**
   * Gets the files of this purge erased. Throws {@link RetryablePurgeError} when a later attempt may succeed, {@link
   * PermanentPurgeError} when none can, {@link HeldPurgeError} when a person has to decide; anything else counts as
   * retryable. May be called again for the same purge after a crash: must be idempotent.
   */
  purge(purge: Purge, run: PurgeRun): Promise<PurgeResult>
  /** Asked at intervals about a purge that was handed off. Required of purgers that hand off. */
  inspect?(purge: Purge, reference: string, run: PurgeRun): Promise<Inspection>
  /** Stops a purge that was handed off, as far as possible. */
  cancel?(purge: Purge, reference: string, run: PurgeRun): Promise<void>
  close?(): Promise<void>
}

export interface PurgerContext {
  readonly logger: Logger
  /** `host:pid`, the owner name that leases carry. */
  readonly serverIdentity: string
}

/** Default export of a purger's module. `options` is what stands under `purge.options` in the configuration. */
export type IcebergPurgerFactory = (
  options: Readonly<Record<string, unknown>>,
  context: PurgerContext,
) => IcebergPurger | Promise<IcebergPurger>

/** A later attempt may succeed: the store was down, a key failed for a reason that may pass. */
export class RetryablePurgeError extends Error {
  override readonly name = 'RetryablePurgeError'
}

/** No attempt can succeed as things stand: corrupt manifest, encrypted table, unknown format version. */
export class PermanentPurgeError extends Error {
  override readonly name = 'PermanentPurgeError'
}

/** Nothing may be erased until a person decides: a live table has the same metadata file or UUID. */
export class HeldPurgeError extends Error {
  override readonly name = 'HeldPurgeError'
}
