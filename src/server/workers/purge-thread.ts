import { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import type { Config } from '../../config/config.ts'
import type { PurgeObserver } from '../../purge/run-attempt.ts'
import type { News, Order, ThreadData } from './messages.ts'
import type { PurgeWorker } from './purge-worker.ts'

/** Milliseconds before a thread that died is begun again; doubles. */
const firstDelay = 500
const lastDelay = 30_000
/** Milliseconds after which a thread counts as healthy again. */
const healthyAfter = 60_000

/**
 * What a purge handles lives for a moment, and V8 lets such things grow to 48 MB and more before it looks. A third of that
 * costs no speed that could be measured, and keeps a purge of a million files 100 MB smaller (`bench/memory`).
 */
const resourceLimits = { maxYoungGenerationSizeMb: 24 }

const entry = new URL(import.meta.filename.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)

export interface PurgeThreadOptions {
  readonly config: Config
  readonly logger: Logger
  /** Told what happens to a warehouse's purges. */
  observe?(warehouse: string): PurgeObserver
  /** Milliseconds that the thread gets to stop. */
  readonly stopTimeout: number
}

/** A thread that works on purges. One that dies is begun again: its leases run out meanwhile. */
export class PurgeThread implements PurgeWorker {
  readonly #options: PurgeThreadOptions
  readonly #started = Promise.withResolvers<void>()
  /** Whether one that dies is begun again. */
  #isLasting: boolean
  #thread: Worker | undefined
  #exited: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #stopping = false
  #isWorking = false
  #delay = firstDelay

  /** Resolves when it works. Throws what it dies of before that, and then it is not begun again: it would die again. */
  static async start(options: PurgeThreadOptions): Promise<PurgeThread> {
    const thread = new PurgeThread(options, false)
    await thread.#started.promise
    return thread
  }

  /**
   * @param isLasting whether one that dies before it ever worked is begun again, as beside a server, which has opened already all
   * that the thread opens: whatever it dies of will pass.
   */
  constructor(options: PurgeThreadOptions, isLasting = true) {
    this.#options = options
    this.#isLasting = isLasting
    // Nobody may wait for it.
    this.#started.promise.catch(() => undefined)
    this.#begin()
  }

  /** False while it opens what it needs, and after it died. */
  get isWorking(): boolean {
    return this.#isWorking
  }

  notify(): void {
    this.#order('notify')
  }

  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    this.#order('stop')
    const thread = this.#thread
    const timer = setTimeout(() => {
      this.#options.logger.warn('the purge workers did not stop in time; their leases will run out')
      void thread?.terminate()
    }, this.#options.stopTimeout)
    await this.#exited
    clearTimeout(timer)
  }

  #order(order: Order): void {
    this.#thread?.postMessage(order)
  }

  #begin(): void {
    const { config, logger, observe } = this.#options
    const workerData: ThreadData = { config, level: logger.level }
    const thread = new Worker(entry, { workerData, name: 'moulin-purges', resourceLimits })
    const began = performance.now()
    const observers = new Map(Object.keys(config.warehouses).map((name) => [name, observe?.(name)]))
    thread.on('message', (news: News) => {
      if (news.kind === 'started') {
        this.#isWorking = true
        this.#isLasting = true
        this.#started.resolve()
        return
      }
      const observer = observers.get(news.warehouse)
      if (news.kind === 'progressed') observer?.progressed(news.counts)
      else observer?.finished(news.state, news.milliseconds)
    })
    thread.on('error', (error) => {
      if (this.#isLasting) logger.error({ err: error }, 'the purge workers died')
      else this.#started.reject(error)
    })
    this.#thread = thread
    this.#exited = new Promise((resolve) => {
      thread.once('exit', (code) => {
        this.#thread = undefined
        this.#isWorking = false
        resolve()
        if (this.#stopping) return
        if (!this.#isLasting) {
          this.#started.reject(new Error(`The purge workers ended with exit code ${code}.`))
          return
        }
        if (performance.now() - began > healthyAfter) this.#delay = firstDelay
        this.#timer = setTimeout(() => this.#begin(), this.#delay)
        this.#delay = Math.min(this.#delay * 2, lastDelay)
      })
    })
  }
}
