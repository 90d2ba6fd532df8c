/** Keeps a lease alive while a purger works under it, and collects what it has done. */
import type { Logger } from 'pino'
import type { Database } from '../database/database.ts'
import type { FileIO } from '../storage/file-io.ts'
import { forwardFileIO } from '../storage/forward.ts'
import type { Clock } from './clock.ts'
import { enclosedPlaces } from './guard.ts'
import { keepOthers } from './keep-others.ts'
import type { Lease } from './ledger/claims.ts'
import {
  type AttemptEnd,
  assign,
  beat,
  begin,
  finish,
  isHeld,
  LeaseLostError,
  type NamedFailure,
  namedFailures,
  type Progress,
} from './ledger/leased.ts'
import { countMessages, messagesOf } from './ledger/messages.ts'
import { isStorable } from './ledger/text.ts'
import {
  type Done,
  type OutcomeCounts,
  outcomes,
  type PurgeRun,
  RetryablePurgeError,
  stages,
  type Tally,
} from './purger.ts'
import { addCounts, addTallies, emptyTally, subtractCounts } from './tally.ts'

/** Failures that are named per purge. */
const maxFailures = 10_000
/** Milliseconds before the first beat, which doubles up to the last: what an early crash would repeat is soon saved. */
const firstBeatInterval = 100
const lastBeatInterval = 1_000
/**
 * Files of a batch in an attempt that follows a fruitless one, until something is saved. An attempt that is cut off before its
 * first batch is saved has got nothing erased: where the store is slow, and workers die often, a small one is saved in time.
 */
const cautiousBatchSize = 50
/** Milliseconds for which it holds what was asked of the keep rule, while a deletion waits for its turn. */
const keepHolds = 1_000
/** Milliseconds that batches in flight have to be finished when the server stops, or others wait for the worker. */
const batchGrace = 5_000
/** Milliseconds before a write that the database did not take is tried again. */
const retryPause = 250

export interface AttemptOptions {
  readonly database: Database
  readonly lease: Lease
  /** Milliseconds. */
  readonly leaseTime: number
  readonly io: FileIO
  /** Makes deletions wait for their turn; what comes after the wait asks for the lease. */
  readonly pace: (io: FileIO) => FileIO
  readonly deleteConcurrency: number
  readonly logger: Logger
  readonly clock: Clock
  /** Aborted when the server stops, or others wait for the worker. */
  readonly signal: AbortSignal
  readonly onProgress?: ((counts: OutcomeCounts) => void) | undefined
  /** Called whenever files are erased for good. */
  readonly onErased?: (() => void) | undefined
}

export class Attempt {
  readonly run: PurgeRun
  readonly #options: AttemptOptions
  readonly #lost = new AbortController()
  readonly #stopped = new AbortController()
  /** Aborted when batches in flight, too, have to be given up. */
  readonly #givenUp = new AbortController()
  /** When deletions began to wait for their turn. */
  readonly #waiting = new WeakMap<readonly string[], number>()
  /** Aborted once the attempt has saved something, or from the start where the one before was fruitful. */
  readonly #cautious = new AbortController()
  readonly #beating: Promise<void>
  /** By this process's clock: until then nobody else can have the purge. */
  #deadline: number
  #writing: Promise<void> = Promise.resolve()
  #begun: Promise<void> | undefined
  #counts: OutcomeCounts = {}
  #tally: Tally
  #checkpoint: unknown
  #expected: number | undefined
  #fruitful = false
  #heard: number | undefined
  #named: number
  #failures = new Map<string, NamedFailure>()
  #resolved = new Set<string>()

  constructor(options: AttemptOptions) {
    const { lease, clock } = options
    this.#options = options
    this.#tally = lease.tally
    this.#checkpoint = lease.checkpoint
    this.#expected = lease.expected
    this.#named = lease.named
    this.#deadline = clock.now() + options.leaseTime
    if (lease.begun) this.#begun = Promise.resolve()
    if (lease.fruitless <= 1) this.#cautious.abort()
    if (options.signal.aborted) this.#giveUpSoon()
    else options.signal.addEventListener('abort', () => this.#giveUpSoon(), { signal: this.#stopped.signal })
    this.run = this.#runFor(options)
    this.#beating = this.#beatAlways()
  }

  get leaseLost(): boolean {
    return this.#lost.signal.aborted
  }

  /** Done for good, all attempts together. */
  get tally(): Tally {
    return this.#tally
  }

  get fruitful(): boolean {
    return this.#fruitful
  }

  /** Records which purger works on the purge. */
  async assign(purger: string): Promise<void> {
    const { database, lease } = this.#options
    await this.#persist(() => assign(database, lease, purger))
  }

  /** A message that comes after this has the purge looked at again at once, should the attempt end with it handed off. */
  async listen(): Promise<void> {
    const { database, lease } = this.#options
    this.#heard = await this.#persist(() => countMessages(database.reader, lease.purge.id))
  }

  /** What an engine says that it has dealt with, in all: shown until the next claim, and counted only when it has been looked for. */
  show(counts: OutcomeCounts): void {
    this.#counts = addCounts(this.#counts, counts)
  }

  /** Stops the beats and writes how the attempt ended. Throws LeaseLostError, and what the database throws in the end. */
  async finish(end: AttemptEnd): Promise<void> {
    await this.stop()
    const { database, lease } = this.#options
    await this.#persist(() => finish(database, lease, end, this.#progress()))
  }

  /** Stops the beats. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#beating
    await this.#writing.catch(() => undefined)
  }

  #runFor({
    database,
    lease,
    logger,
    clock,
    signal,
    deleteConcurrency,
    onProgress,
  }: AttemptOptions): PurgeRun {
    const attempt = this
    return {
      signal: AbortSignal.any([this.#lost.signal, signal]),
      epoch: lease.epoch,
      attempt: lease.attempt,
      maxAttempts: lease.maxAttempts,
      logger,
      clock,
      io: this.#files(),
      keep: keepOthers(database.reader, lease.purge),
      enclosed: () => attempt.#persist(() => enclosedPlaces(database.reader, lease.purge)),
      deleteConcurrency,
      get checkpoint() {
        return attempt.#checkpoint
      },
      begin: async (reference) => {
        if (reference !== undefined || !attempt.#begun)
          attempt.#begun = attempt.#persist(() => begin(database, lease, reference))
        await attempt.#begun
      },
      confirm: () => attempt.#confirm(),
      expect: (files) => {
        attempt.#expected = files
      },
      progress: (counts) => {
        attempt.#counts = addCounts(attempt.#counts, counts)
        onProgress?.(counts)
      },
      save: (checkpoint, done = {}) => attempt.#save(checkpoint, done),
      flush: () => attempt.#beat(),
      messages: async (prefix) => {
        const { messages, count } = await attempt.#persist(() => messagesOf(database, lease.purge.id, prefix))
        attempt.#heard = count
        return messages
      },
      reported: (stage, which) => attempt.#persist(() => namedFailures(database, lease, stage, which)),
    }
  }

  /** The store's files, with deletions that wait for their turn, and then ask whether they still may. */
  #files(): FileIO {
    const { io, pace, clock } = this.#options
    const isCautious = () => !this.#cautious.signal.aborted
    const fenced = forwardFileIO(io, {
      capabilities: {
        ...io.capabilities,
        get deleteBatchSize() {
          const usual = io.capabilities.deleteBatchSize
          return isCautious() ? Math.min(usual, cautiousBatchSize) : usual
        },
      },
      deleteFiles: async (locations, options) => {
        await this.run.begin()
        await this.#requireUnkept(locations)
        await this.run.confirm()
        // A request that is out is waited for: what it has deleted is counted, and not asked for again.
        return await io.deleteFiles(locations, { ...options, signal: this.#givenUp.signal })
      },
    })
    const paced = pace(fenced)
    return forwardFileIO(paced, {
      deleteFiles: (locations, options) => {
        this.#waiting.set(locations, clock.now())
        return paced.deleteFiles(locations, options)
      },
    })
  }

  #save(checkpoint: unknown, done: Done): boolean {
    const { tally = emptyTally, failures = [], resolved = [], own = false } = done
    const named = this.#named + failures.length - resolved.length
    if (failures.length > 0 && (named > maxFailures || !failures.every(({ path }) => isStorable(path)))) {
      return false
    }
    this.#named = named
    for (const path of resolved) {
      this.#failures.delete(path)
      this.#resolved.add(path)
    }
    for (const failure of failures) {
      const before = this.#failures.get(failure.path)
      this.#failures.set(failure.path, { ...failure, own: own || before?.own === true })
      this.#resolved.delete(failure.path)
    }
    this.#checkpoint = checkpoint
    this.#tally = addTallies(this.#tally, tally)
    this.#counts = subtractCounts(this.#counts, tally.counts)
    if (isFruitful(tally)) {
      this.#fruitful = true
      // In a cautious attempt it becomes durable at once.
      if (!this.#cautious.signal.aborted) this.#cautious.abort()
      this.#options.onErased?.()
    }
    if (done.fruitful) this.#fruitful = true
    return true
  }

  async #beatAlways(): Promise<void> {
    const { clock, leaseTime, logger } = this.#options
    const until = AbortSignal.any([this.#stopped.signal, this.#lost.signal])
    const last = Math.min(leaseTime / 3, lastBeatInterval)
    for (let interval = firstBeatInterval; !until.aborted; interval = Math.min(interval * 2, last)) {
      const hasten = this.#cautious.signal
      const wake = hasten.aborted ? until : AbortSignal.any([until, hasten])
      await clock.sleep(Math.min(interval, last), wake).catch(() => undefined)
      if (until.aborted) return
      try {
        await this.#beat()
      } catch (error) {
        // A lease that is lost ends the work by its signal; otherwise it has a part of its time left.
        if (!(error instanceof LeaseLostError)) logger.warn({ err: error }, 'lease of purge not renewed')
      }
    }
  }

  /** One after another: an older state must not be written over a newer one. */
  async #beat(): Promise<void> {
    const { database, lease, leaseTime, clock } = this.#options
    const turn = this.#writing.catch(() => undefined)
    this.#writing = turn.then(() =>
      this.#persist(async () => {
        const began = clock.now()
        const progress = this.#progress()
        await beat(database, lease, leaseTime, progress)
        this.#deadline = began + leaseTime
        this.#forget(progress)
      }),
    )
    await this.#writing
  }

  async #confirm(): Promise<void> {
    const { database, lease, clock } = this.#options
    this.run.signal.throwIfAborted()
    // A process that was paused may have slept through its lease: renewing it shows whether it still has it.
    if (clock.now() >= this.#deadline) await this.#beat()
    const held = await this.#persist(() => isHeld(database, lease))
    if (!held) throw this.#loseLease()
  }

  /** Repeats what the database did not take, as long as the lease lasts: a restart of the database costs no attempt. */
  async #persist<T>(write: () => Promise<T>): Promise<T> {
    const { clock } = this.#options
    for (;;) {
      try {
        return await write()
      } catch (error) {
        if (error instanceof LeaseLostError) throw this.#loseLease()
        if (!isOutage(error) || clock.now() + retryPause >= this.#deadline) throw error
      }
      await clock.sleep(retryPause)
    }
  }

  /** Somebody may have got a place around files that lie outside of this purge's own while their deletion waited. */
  async #requireUnkept(locations: readonly string[]): Promise<void> {
    const { clock } = this.#options
    if (clock.now() - (this.#waiting.get(locations) ?? clock.now()) < keepHolds) return
    const rules = await this.run.keep(locations)
    const at = rules.findIndex((rule) => rule !== undefined)
    if (at === -1) return
    throw new RetryablePurgeError(
      `Another table has got the place of ${locations[at]} meanwhile; it is looked at again.`,
    )
  }

  #giveUpSoon(): void {
    const { clock, signal } = this.#options
    clock.sleep(batchGrace, this.#stopped.signal).then(
      () => this.#givenUp.abort(signal.reason),
      // The attempt is over.
      () => undefined,
    )
  }

  #loseLease(): LeaseLostError {
    const error = new LeaseLostError(this.#options.lease.purge.id)
    this.#lost.abort(error)
    this.#givenUp.abort(error)
    return error
  }

  #progress(): Progress {
    return {
      counts: this.#counts,
      tally: this.#tally,
      checkpoint: this.#checkpoint,
      expected: this.#expected,
      fruitful: this.#fruitful,
      heard: this.#heard,
      failures: [...this.#failures.values()],
      resolved: [...this.#resolved],
    }
  }

  /** The ledger has these names now; what came meanwhile is for the next beat. */
  #forget({ failures, resolved }: Progress): void {
    for (const failure of failures) {
      if (this.#failures.get(failure.path) === failure) this.#failures.delete(failure.path)
    }
    for (const path of resolved) this.#resolved.delete(path)
  }
}

/** The database was not there, or did not say whether it has committed; what is written is absolute and can be repeated. */
export function isOutage(error: unknown): boolean {
  const { name, type } = error as { name?: string; type?: string }
  return name === 'CommitUnknownError' || type === 'ServiceUnavailableException'
}

function isFruitful({ counts }: Tally): boolean {
  return stages.some((stage) => outcomes.some((outcome) => (counts[stage]?.[outcome] ?? 0) > 0))
}
