import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** PostgreSQL's channel on which the servers tell each other that a purge may be due. */
export const purgeChannel = 'moulin_purges'
/** Milliseconds between two tries to connect; doubles. */
const firstDelay = 100
const lastDelay = 10_000

/** A connection that does nothing but listen. When it breaks it comes back, and says so once: something may be missed. */
export class Listener {
  readonly #options: pg.ClientConfig
  readonly #heard: () => void
  readonly #stopping = new AbortController()
  #client: pg.Client | undefined

  constructor(options: pg.ClientConfig, heard: () => void) {
    this.#options = options
    this.#heard = heard
  }

  /** Resolves when it listens, or at once when the database does not answer: then it goes on trying. */
  async start(): Promise<void> {
    try {
      await this.#connect()
    } catch {
      void this.#reconnect()
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    const client = this.#client
    this.#client = undefined
    await client?.end()
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      ...this.#options,
      application_name: 'moulin-listen',
      // It waits for hours between two messages.
      query_timeout: undefined,
      statement_timeout: undefined,
    })
    client.on('notification', () => this.#heard())
    let lost = false
    const onLoss = () => {
      if (lost) return
      lost = true
      if (this.#client !== client) return
      this.#client = undefined
      void this.#reconnect()
    }
    client.on('error', onLoss)
    client.on('end', onLoss)
    try {
      await client.connect()
      await client.query(`LISTEN ${purgeChannel}`)
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
    if (this.#stopping.signal.aborted) await client.end()
    else this.#client = client
  }

  async #reconnect(): Promise<void> {
    for (let delay = firstDelay; !this.#stopping.signal.aborted; delay = Math.min(delay * 2, lastDelay)) {
      try {
        await this.#connect()
        this.#heard()
        return
      } catch {
        // The pool's queries report the outage; polling goes on meanwhile.
        await sleep(delay * (0.5 + Math.random()), undefined, { signal: this.#stopping.signal }).catch(
          () => undefined,
        )
      }
    }
  }
}
