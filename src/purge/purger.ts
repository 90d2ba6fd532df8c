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
import type { Clock } from './clock.ts'

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
  /** Aborted when the lease is lost, the purge is held, or the server stops: stop before the next batch. */
  readonly signal: AbortSignal
  /** Fencing token: grows with every claim of this purge. */
  readonly epoch: number
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Attempts in a row that may get nothing erased: then the purge is failed. */
  readonly maxAttempts: number
  readonly logger: Logger
  /** For whatever waits or has a deadline within one attempt, so that tests have it under their control. */
  readonly clock: Clock
  /**
   * Files of the purge's warehouse, with credentials resolved for this attempt. Deletions are paced: as many at a time
   * and as fast as the store, the configured limits and the other purges of this process allow. Each then calls `begin`
   * and `confirm` itself.
   */
  readonly io: FileIO
  /** Which paths must stay, of those that other tables hold; see `keep-others.ts`. */
  readonly keep: KeepRule
  /**
   * Places of other tables, and of other purges that are not over, that lie inside this purge's own locations. For engines
   * that cannot ask `keep`: of what lies inside the own locations, this is what stays. Nobody can add one.
   */
  enclosed(): Promise<readonly string[]>
  /** Batches to have in flight at most. */
  readonly deleteConcurrency: number
  /** What an earlier attempt has saved last; undefined for a first one. */
  readonly checkpoint: unknown
  /**
   * To be awaited before the first file may be deleted by other ways than `io`: from then on the purge cannot be cancelled
   * or undone. Calling it again does nothing.
   *
   * @param reference to be given before the work is handed off, by a purger that does so: from then on an operator's hold has
   * the engine told to stop ({@link IcebergPurger.cancel}), and another attempt calls `inspect` instead of `purge`, whether
   * or not the engine has heard of it. At most 4,000 characters. The one that {@link PurgeResult} names takes its place.
   */
  begin(reference?: string): Promise<void>
  /**
   * To be awaited before every batch that is not deleted by `io`: throws when the lease is lost or the purge is held. It asks the ledger, so that no
   * batch begins after an operator's hold was answered, or under a lease that ran out while the process was paused.
   */
  confirm(): Promise<void>
  /** How many files the reach has, as far as is known beforehand; for the progress bar. */
  expect(files: number): void
  /** Paths dealt with and not saved yet. Shown to whoever watches; forgotten when the attempt ends before they are saved. */
  progress(counts: OutcomeCounts): void
  /**
   * Of what was told by `progress`, this much is done for good, and another attempt would go on at `checkpoint` (any JSON
   * value). All of it becomes durable together, with the next beat, a second later at most, or with {@link flush}.
   *
   * False, and nothing is saved, when there are too many failures to name them all: then only another look at everything
   * after the last checkpoint would find them.
   */
  save(checkpoint: unknown, done?: Done): boolean
  /** Resolves when what was saved is durable. */
  flush(): Promise<void>
  /**
   * The paths of a stage that earlier attempts have named as failures.
   *
   * @param which `own`: those that were saved as {@link Done.own}, and that may be erased by their names. @default the others
   */
  reported(stage: Stage, which?: 'own'): Promise<readonly string[]>
  /**
   * What was delivered about this purge by {@link PurgerContext.deliver}, by key; each once.
   *
   * @param prefix only those whose keys begin with it. @default all
   */
  messages(prefix?: string): Promise<readonly PurgeMessage[]>
}

/** What an external engine says of a purge that was handed off to it. */
export interface PurgeMessage {
  /** Names it within the purge, at most 200 characters: of two with one key the first counts. */
  readonly key: string
  /** Any JSON value, at most 64 KiB. */
  readonly body: unknown
}

/** What an attempt has done with some of the paths. */
export interface Done {
  /** Those that are deleted, absent or kept. */
  readonly tally?: Tally
  /** Those that could not be erased: the ledger names them. */
  readonly failures?: readonly PathFailure[]
  /**
   * The failures are of paths that the table's own metadata names, and that were to be deleted here: another attempt may erase
   * them by their names. Never to be said of a path that an engine elsewhere has told: it could be anybody's. @default false
   */
  readonly own?: boolean
  /** Named before, and erased after all, or kept: their names are taken from the ledger. */
  readonly resolved?: readonly string[]
  /**
   * Files were erased that are not in a tally yet: the attempt is not one in vain. @default as the tally says
   */
  readonly fruitful?: boolean
}

/** Numbers of paths, and of their bytes as far as the table's metadata states them, by stage and outcome. */
export interface Tally {
  readonly counts: OutcomeCounts
  readonly bytes: OutcomeCounts
  /** Paths that were kept, by the name of the rule. */
  readonly rules: Readonly<Record<string, number>>
  /** Paths that were deleted or absent, by the bucket that held them (`s3://bucket`). @default not known */
  readonly containers?: Readonly<Record<string, number>>
}

/** Tells of each path why it must not be erased (the name of a rule), or undefined when it may. */
export type KeepRule = (paths: readonly string[]) => Promise<readonly (string | undefined)[]>

/**
 * The stages in the order in which they are erased: leaves before parents, the root last. Then the sweep, which the server
 * does itself: whatever else lies at the table's own location.
 */
export const stages = [
  'data',
  'manifests',
  'manifest-lists',
  'statistics',
  'metadata',
  'root',
  'sweep',
  'versions',
] as const
export type Stage = (typeof stages)[number]

export const outcomes = ['deleted', 'absent', 'kept', 'blocked', 'failed'] as const
export type Outcome = (typeof outcomes)[number]

/** A number, of paths or of bytes, by stage and outcome; missing means 0. */
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
  /** The reach is erased, but for what a rule keeps. */
  | {
      readonly kind: 'done'
      /**
       * Nothing that the purger has kept lies at the table's own locations, so that the server may sweep those that the
       * catalog assigned. Without it, what is left there is only reported. @default false
       */
      readonly mayBeSwept?: boolean
      /** What the purger has written about this purge; the certificate names it. @default none */
      readonly attachments?: readonly Attachment[]
    }
  /** An external engine does the work; the server will `inspect` the reference until it is finished. */
  | {
      readonly kind: 'handed_off'
      readonly reference: string
      /** As that of an {@link Inspection}, until it is asked for the first time. @default 10000 */
      readonly askAfter?: number
    }

/** A file beside the certificate. */
export interface Attachment {
  readonly name: string
  readonly location: string
  /** Of its bytes, hexadecimal. */
  readonly sha256: string
}

export type Inspection =
  | {
      readonly state: 'running'
      /** Takes the place of the one before. @default it stays */
      readonly reference?: string
      /** What the engine says that it has dealt with so far, in all; shown, and not counted by the metrics. */
      readonly counts?: OutcomeCounts
      /** Milliseconds until it is to be asked again; what is delivered about it has it asked at once. @default 10000 */
      readonly askAfter?: number
    }
  | {
      readonly state: 'finished'
      /** What was dealt with and was not told by {@link PurgeRun.progress}. */
      readonly counts?: OutcomeCounts
      readonly mayBeSwept?: boolean
      readonly attachments?: readonly Attachment[]
    }
  | { readonly state: 'failed'; readonly message: string }

export interface IcebergPurger {
  /** The alias or specifier under which it is known in the ledger. */
  readonly name: string
  /** True when `DELETE` answers only after `purge` is done. */
  readonly waits: boolean
  /**
   * False for a purger that only looks (it audits, or reports): every path ends as `kept`. Then the server sweeps nothing
   * after it, whatever it answers, and erases nothing by location either (`retry --by-location`). @default true
   */
  readonly erases?: boolean
  /**
   * Gets the files of this purge erased. Throws {@link RetryablePurgeError} when a later attempt may succeed, {@link
   * PermanentPurgeError} when none can, {@link HeldPurgeError} when a person has to decide; anything else counts as
   * retryable. May be called again for the same purge after a crash: must be idempotent.
   */
  purge(purge: Purge, run: PurgeRun): Promise<PurgeResult>
  /** Asked at intervals about a purge that was handed off. Required of purgers that hand off. */
  inspect?(purge: Purge, reference: string, run: PurgeRun): Promise<Inspection>
  /**
   * Tells the engine to stop, because an operator holds a purge that was handed off; resolves when it has been told, and throws
   * as `purge` does: then it is called again, later. Must be idempotent, and bear that the engine has not heard of the work yet,
   * or hears of it only now. Once the purge is released `purge` is called anew.
   * Without it the purge is held all the same, and what its engine does is out of the server's hands.
   */
  cancel?(purge: Purge, reference: string, run: PurgeRun): Promise<void>
  /**
   * Makes a message, for {@link PurgerContext.deliver} to keep, of what an external engine POSTs to
   * `/management/v1/purges/{id}/callback`. Nobody else has authenticated it: throws {@link UnauthenticMessageError} (401)
   * unless it is the engine's, and BadRequestException (400) when it cannot be understood. Called on any server.
   */
  receive?(callback: PurgeCallback): Promise<PurgeMessage>
  close?(): Promise<void>
}

/** A request that an external engine makes about a purge. */
export interface PurgeCallback {
  /** From the URL. There is such a purge, in a warehouse of this purger. */
  readonly purgeId: string
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** As it came: JSON of at most 32 KiB, or empty. */
  readonly body: Buffer
}

export interface PurgerContext {
  readonly logger: Logger
  /** The one whose tables it purges. */
  readonly warehouse: { readonly name: string; readonly location: string }
  /** `host:pid`, the owner name that leases carry. */
  readonly serverIdentity: string
  /**
   * True for an instance whose `purge` and `inspect` are called for what nobody waits for; false in the process that answers
   * requests, unless it does the work itself. Listening to an external engine is for those that work.
   */
  readonly works: boolean
  /**
   * Keeps messages for a purge until it is over, durable when the promise resolves, and has a purge that was handed off
   * inspected at once. To be called by whatever listens to the external engine, on any server. False, and nothing is kept,
   * when there is no such purge or it is over, or when nobody waits for the messages.
   *
   * @param isAwaited asked with what the purge has saved last, as {@link PurgeRun.checkpoint} has it. @default always
   */
  deliver(
    purgeId: string,
    messages: readonly PurgeMessage[],
    isAwaited?: (checkpoint: unknown) => boolean,
  ): Promise<boolean>
}

/** Default export of a purger's module. `options` is what stands under `purge.options` in the configuration. */
export type IcebergPurgerFactory = (
  options: Readonly<Record<string, unknown>>,
  context: PurgerContext,
) => IcebergPurger | Promise<IcebergPurger>

/** A later attempt may succeed: the store was down, a key failed for a reason that may pass. */
export class RetryablePurgeError extends Error {
  override readonly name: string = 'RetryablePurgeError'
}

/** The store asks for patience. Tried again like any other, but the attempt does not count: only time helps. */
export class ThrottledPurgeError extends RetryablePurgeError {
  override readonly name = 'ThrottledPurgeError'
  /** Milliseconds that it asks for, at least; undefined when it does not say. */
  readonly retryAfter: number | undefined

  constructor(message: string, options: ErrorOptions & { readonly retryAfter?: number | undefined } = {}) {
    super(message, options)
    this.retryAfter = options.retryAfter
  }
}

/** No attempt can succeed as things stand: corrupt manifest, encrypted table, unknown format version. */
export class PermanentPurgeError extends Error {
  override readonly name: string = 'PermanentPurgeError'
}

/** The store forbids it: a policy, an object lock, a legal hold. Permanent until somebody changes that. */
export class BlockedPurgeError extends PermanentPurgeError {
  override readonly name = 'BlockedPurgeError'
}

/** Nothing may be erased until a person decides: a live table has the same metadata file or UUID. */
export class HeldPurgeError extends Error {
  override readonly name = 'HeldPurgeError'
}

/** A call-back that is not the engine's, or too old to be believed. */
export class UnauthenticMessageError extends Error {
  override readonly name = 'UnauthenticMessageError'
}
