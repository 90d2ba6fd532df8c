import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Database } from '../database/database.ts'
import { migrate } from '../database/migrate.ts'
import { openDatabase } from '../database/open.ts'
import { Attempt } from '../purge/attempt.ts'
import { checkpointOf } from '../purge/checkpoint.ts'
import { systemClock } from '../purge/clock.ts'
import type { Lease } from '../purge/ledger/claims.ts'
import { Ledger } from '../purge/ledger/ledger.ts'
import type { OutcomeCounts, Purge, PurgeRun, Stage } from '../purge/purger.ts'
import { addCounts, addTallies, emptyTally } from '../purge/tally.ts'
import type { FileIO } from '../storage/file-io.ts'
import type { RunMaker, TestRun, TestRunOptions } from './purge-run.ts'

const logger = pino({ level: 'silent' })
const owner = 'test:1'
/** Milliseconds. */
const leaseTime = 60_000
/** More than any test needs. */
const maxAttempts = 1_000

/** Runs as the server has them: over a lease of a real ledger, which keeps what is saved from one attempt to the next. */
export class LedgerRuns implements RunMaker, AsyncDisposable {
  readonly #database: Database
  readonly #remove: () => void
  readonly #ledger: Ledger
  readonly #attempts = new Map<TestRun, Attempt>()

  /** @param url of an empty database, or of one that was used so before. @default SQLite in a temporary folder */
  static async open(url?: string): Promise<LedgerRuns> {
    if (url !== undefined) return await LedgerRuns.#open(url, () => undefined)
    const folder = mkdtempSync(join(tmpdir(), 'moulin-ledger-'))
    return await LedgerRuns.#open(`sqlite:${join(folder, 'catalog.db')}`, () =>
      rmSync(folder, { recursive: true, force: true }),
    )
  }

  static async #open(url: string, remove: () => void): Promise<LedgerRuns> {
    const database = await openDatabase(url, { poolSize: 4 })
    await migrate(database)
    return new LedgerRuns(database, remove)
  }

  private constructor(database: Database, remove: () => void) {
    this.#database = database
    this.#remove = remove
    this.#ledger = new Ledger(database)
  }

  async make(purge: Purge, io: FileIO, options: TestRunOptions = {}): Promise<TestRun> {
    const { after, signal = new AbortController().signal } = options
    if (after) await this.#end(purge, after)
    else await this.#record(purge)
    const lease = await this.#ledger.claim(purge.id, owner, leaseTime)
    if (!lease) throw new Error(`The purge ${purge.id} cannot be claimed.`)
    const attempt = new Attempt({
      database: this.#database,
      lease,
      leaseTime,
      io,
      pace: (files) => files,
      deleteConcurrency: options.deleteConcurrency ?? 4,
      logger,
      clock: systemClock,
      signal,
    })
    const run = this.#observed(lease, attempt.run, options)
    this.#attempts.set(run, attempt)
    return run
  }

  async close(): Promise<void> {
    for (const attempt of this.#attempts.values()) await attempt.stop()
    await this.#database.close()
    this.#remove()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** As a drop does, under the purge's own id. */
  async #record(purge: Purge): Promise<void> {
    const { kind, warehouse, namespace, name, uuid, metadataLocation, request } = purge
    await this.#database.transaction(async (tx) => {
      const dropped = {
        entryId: randomUUID(),
        kind,
        warehouse,
        identifier: { namespace, name },
        uuid,
        metadataLocation,
        places: [],
      }
      const terms = { purger: 'test', maxAttempts }
      const id = await this.#ledger.record(tx, dropped, request, terms)
      await tx.updateTable('purges').set({ id: purge.id }).where('id', '=', id).execute()
    })
  }

  /** A run that was told to stop has died with its process: its lease runs out. Any other hands the purge back. */
  async #end({ id }: Purge, run: TestRun): Promise<void> {
    const attempt = this.#attempts.get(run)
    if (!attempt) throw new Error('The run is not of this ledger.')
    this.#attempts.delete(run)
    if (!run.signal.aborted) {
      await attempt.finish({ state: 'pending', delay: 0 })
      return
    }
    await attempt.stop()
    await this.#database.transaction(async (tx) => {
      await tx.updateTable('purges').set({ lease_expires_at: 0 }).where('id', '=', id).execute()
    })
  }

  #observed(
    { purge: { id }, ...lease }: Lease,
    run: PurgeRun,
    { keep, enclosed, messages, clock }: TestRunOptions,
  ): TestRun {
    let counts: OutcomeCounts = {}
    let { tally } = lease
    const begun = new Set<Stage>()
    const own: Omit<TestRun, Exclude<keyof PurgeRun, 'progress' | 'save'>> & Partial<PurgeRun> = {
      progress: (delta) => {
        counts = addCounts(counts, delta)
        run.progress(delta)
      },
      save: (checkpoint, done) => {
        const saved = run.save(checkpoint, done)
        if (!saved) return false
        begun.add(checkpointOf(checkpoint).stage)
        tally = addTallies(tally, done?.tally ?? emptyTally)
        return true
      },
      ...(keep && { keep }),
      ...(clock && { clock }),
      ...(enclosed && { enclosed: async () => enclosed }),
      ...(messages && {
        messages: async (prefix = '') => messages.filter(({ key }) => key.startsWith(prefix)),
      }),
      counts: () => counts,
      tally: () => tally,
      failures: async () => {
        await run.flush()
        return await this.#ledger.failures(id, 10_000)
      },
      begun: () => [...begun],
    }
    return Object.assign(Object.create(run) as PurgeRun, own)
  }
}
