/**
 * Kills servers while they erase, at random moments, always one that is at work; starts another in its place; and sees
 * whether everything is erased in the end, nothing else touched, and how long a purge lay idle.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Dialect } from '../../src/database/database.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import type { FileIO } from '../../src/storage/file-io.ts'
import { createDatabase, type TestDatabase } from '../../src/testing/databases.ts'
import { type TableOptions, type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'
import { Replica } from './replica.ts'

/** Attempts in a row that save nothing, before a purge is failed. */
const maxAttempts = 5
/** Milliseconds. */
const leaseTimeout = 1_500
const pollInterval = 250

export interface KillOptions {
  readonly dialect: Dialect
  readonly replicas: number
  readonly kills: number
  readonly io: FileIO
  /** Where tables are written: empty. */
  readonly location: string
  /** As the configuration has it. */
  readonly storage: object
  readonly table: TableOptions
  /** Milliseconds between two kills, at most. */
  readonly pause: number
}

/** Prints what it has seen. Fails with what is wrong. */
export async function killReplicas(options: KillOptions): Promise<void> {
  const database = await createDatabase(options.dialect)
  const run = new KillRun(options, database)
  try {
    await run.run()
  } finally {
    await run.stop()
    await database.close()
  }
}

class KillRun {
  readonly #options: KillOptions
  readonly #database: TestDatabase
  readonly #ledger: Ledger
  readonly #configuration: object
  #running: Replica[] = []
  /** Milliseconds from a kill of its worker to the next claim of a purge. */
  readonly #idle: number[] = []
  readonly #purges: string[] = []
  /** Tables whose DELETE was under way when its server was killed. */
  readonly #droppedAtKill: string[] = []
  #retries = 0

  constructor(options: KillOptions, database: TestDatabase) {
    this.#options = options
    this.#database = database
    this.#ledger = new Ledger(database.database)
    this.#configuration = {
      server: { port: 0 },
      database: { url: database.url },
      warehouses: { main: { location: options.location, storage: options.storage } },
      purge: {
        leaseTimeout: `${leaseTimeout}ms`,
        pollInterval: `${pollInterval}ms`,
        maxAttempts,
        backoffBase: '10ms',
        backoffMax: '50ms',
      },
      logging: { level: 'silent' },
    }
  }

  async run(): Promise<void> {
    const { replicas, kills, pause, dialect } = this.#options
    this.#running = await Promise.all(
      Array.from({ length: replicas }, () => Replica.start(this.#configuration)),
    )
    await this.#running[0]!.call('POST', '/namespaces', { namespace: ['ns'] })
    const neighbour = await this.#make('neighbour')
    let open: string | undefined
    for (let kill = 0; kill < kills; ) {
      if (open === undefined || (await this.#isOver(open))) open = await this.#drop()
      if (kill > 0 && kill % 50 === 0) console.log(`${dialect}: ${kill} kills so far`)
      await sleep(Math.random() * pause)
      const owner = await this.#ownerOf(open)
      if (owner === undefined) continue
      const victim = this.#running.find(({ pid }) => owner.endsWith(`:${pid}`))
      if (!victim) continue
      await this.#killInDelete(victim)
      kill++
      await this.#takenUp(open, victim)
    }
    await this.#settleDrops()
    for (const id of this.#purges) await this.#succeeded(id)
    await this.#check(neighbour)
    this.#idle.sort((a, b) => a - b)
    const median = this.#idle[Math.floor(this.#idle.length / 2)] ?? 0
    console.log(
      `${dialect}, ${replicas} at work: ${kills} kills of the one that erases, ${this.#purges.length} purges, ${this.#retries} of them tried again by hand; taken up again ${this.#idle.length} times, after ${Math.round(median)} ms in the middle, ${Math.round(this.#idle.at(-1) ?? 0)} ms at most (lease ${leaseTimeout} ms, poll ${pollInterval} ms)`,
    )
    expect(this.#idle.length, 'kills that hit a purge at work').toBeGreaterThan(0)
    expect(this.#retries, 'purges tried again by hand').toBeLessThanOrEqual(kills / maxAttempts)
    // Half of them within a lease and a poll; each with some room for a machine that starts a process meanwhile.
    expect(median).toBeLessThan(leaseTimeout + pollInterval * 1.25 + 2_000)
    expect(this.#idle.at(-1)!).toBeLessThan(leaseTimeout + pollInterval * 1.25 + 10_000)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((replica) => replica.kill()))
  }

  async #make(name: string, table = this.#options.table): Promise<WrittenTable> {
    const { io, location } = this.#options
    const written = await writeTable(io, `${location}/${name}`, table)
    const body = { name, 'metadata-location': written.purge.metadataLocation }
    const answer = await this.#running[0]!.call('POST', '/namespaces/ns/register', body)
    expect(answer.status).toBe(200)
    return written
  }

  async #drop(): Promise<string> {
    const name = `t-${randomUUID()}`
    await this.#make(name)
    const id = await this.#dropTable(name)
    this.#purges.push(id)
    return id
  }

  async #dropTable(name: string): Promise<string> {
    const path = `/namespaces/ns/tables/${name}?purgeRequested=true`
    const answer = await this.#running[0]!.call('DELETE', path)
    expect(answer.status).toBe(204)
    return /purges\/([0-9a-f-]+)/.exec(answer.headers.get('link')!)![1]!
  }

  /** Has the victim drop a table, and kills it in the milliseconds that this takes. */
  async #killInDelete(victim: Replica): Promise<void> {
    const name = `d-${randomUUID()}`
    await this.#make(name, { snapshots: 1, filesPerSnapshot: 2 })
    this.#droppedAtKill.push(name)
    // No answer, or one that nobody waits for.
    const answer = victim
      .call('DELETE', `/namespaces/ns/tables/${name}?purgeRequested=true`)
      .catch(() => undefined)
    await sleep(Math.random() * 40)
    await victim.kill()
    await answer
  }

  /** A table lives, or its purge is in the ledger: never neither, never both. Those that live are dropped now. */
  async #settleDrops(): Promise<void> {
    const records = await this.#ledger.list(10_000)
    const purges = new Map(records.map(({ purge }) => [purge.name, purge.id]))
    let lived = 0
    for (const name of this.#droppedAtKill) {
      const { status } = await this.#running[0]!.call('HEAD', `/namespaces/ns/tables/${name}`)
      const purge = purges.get(name)
      expect([name, status], 'a dropped table has its purge').toEqual([name, purge === undefined ? 204 : 404])
      if (purge === undefined) lived++
      this.#purges.push(purge ?? (await this.#dropTable(name)))
    }
    const { dialect } = this.#options
    console.log(
      `${dialect}: of ${this.#droppedAtKill.length} DELETEs under way at a kill ${lived} were not done`,
    )
  }

  async #isOver(id: string): Promise<boolean> {
    const state = (await this.#ledger.get(id))?.state
    if (state === 'failed') await this.#retry(id)
    return state === 'succeeded'
  }

  async #ownerOf(id: string): Promise<string | undefined> {
    const row = await this.#database.database.reader
      .selectFrom('purges')
      .select('lease_owner')
      .where('id', '=', id)
      .executeTakeFirst()
    return row?.lease_owner ?? undefined
  }

  /** Starts another in the place of the dead one, and waits until somebody works on the purge again. */
  async #takenUp(id: string, victim: Replica): Promise<void> {
    const killedAt = performance.now()
    const before = (await this.#ledger.get(id))!
    const starting = Replica.start(this.#configuration).then((replica) => {
      this.#running = this.#running.with(this.#running.indexOf(victim), replica)
      return performance.now()
    })
    if (before.state === 'succeeded') {
      await starting
      return
    }
    for (;;) {
      const { attempts, state } = (await this.#ledger.get(id))!
      if (attempts > before.attempts || state === 'succeeded') break
      if (state === 'failed') {
        await this.#retry(id)
        break
      }
      expect(performance.now() - killedAt, `${id} is ${state}, and nobody takes it up`).toBeLessThan(30_000)
      await sleep(20)
    }
    const takenUpAt = performance.now()
    // A single server has to come back first.
    const from = this.#options.replicas === 1 ? Math.min(await starting, takenUpAt) : killedAt
    this.#idle.push(takenUpAt - from)
    await starting
  }

  /** Cut off five times before anything was saved, it is failed, as it should be; an operator tries it again. */
  async #retry(id: string): Promise<void> {
    await this.#ledger.retry(id)
    this.#retries++
  }

  async #succeeded(id: string): Promise<void> {
    const deadline = performance.now() + 120_000
    for (;;) {
      const record = (await this.#ledger.get(id))!
      if (record.state === 'succeeded') return
      if (record.state === 'failed') await this.#retry(id)
      expect(performance.now(), `${id} is ${record.state}`).toBeLessThan(deadline)
      await sleep(50)
    }
  }

  /** By a listing of the store. */
  async #check(neighbour: WrittenTable): Promise<void> {
    const left: string[] = []
    for await (const file of this.#options.io.list(this.#options.location)) left.push(file.location)
    expect(left.toSorted()).toEqual(Object.values(neighbour.files).flat().toSorted())
    for (const id of this.#purges) {
      const { certificate } = (await this.#ledger.certificate(id))!
      const { deleted = 0, absent = 0 } = certificate.counts.data ?? {}
      expect(deleted + absent, 'paths accounted for').toBe(certificate.paths?.entries)
    }
  }
}
