/**
 * What a claim costs, and a poll that finds nothing, with a ledger that is empty, that has a backlog, and that has years of
 * finished purges and a backlog that is not due. No server: the ledger alone, as the engine uses it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import type { Database } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/open.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { prunedAtATime } from '../../src/purge/ledger/prune.ts'
import { fillLedger } from '../../src/testing/fill-ledger.ts'
import { choices, wholeNumber } from '../parts/arguments.ts'
import { durablePostgres } from '../parts/postgres.ts'
import { figure, quantiles } from '../parts/quantiles.ts'
import { machine, markdown, record } from '../parts/results.ts'

export const description = 'milliseconds of a claim and of an idle poll, by the size of the ledger'

/** The warehouse whose purges are claimed; the backlog and what is finished are its own, too. */
const warehouse = 'main'
const turns = [{ warehouse, leaseTime: 3_600_000 }]
/** Purges that a transaction claims, as four idle workers do. */
const batch = 4

type Name = 'sqlite' | 'postgres'

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      database: { type: 'string', default: 'all' },
      pending: { type: 'string', default: '100000' },
      finished: { type: 'string', default: '1000000' },
      claims: { type: 'string', default: '200' },
      record: { type: 'boolean', default: false },
    },
  })
  const [pending, finished, claims] = (['pending', 'finished', 'claims'] as const).map((name) =>
    wholeNumber(name, values[name]),
  ) as [number, number, number]
  const setting = `\`npm run bench -- claims\`: ${claims} purges, ${batch} to a transaction; medians; ${machine()}`
  console.log(`${setting}\n`)
  const rows: string[][] = []
  for (const name of choices('database', values.database, ['sqlite', 'postgres'] as const)) {
    await using empty = await open(name)
    rows.push([name, 'empty', ...(await measure(empty.database, claims))])
    await fillLedger(empty.database, { state: 'pending', warehouse, count: pending })
    rows.push([
      name,
      `${pending.toLocaleString('en')} pending, all due`,
      ...(await measure(empty.database, claims)),
    ])
    await using full = await open(name)
    await fillLedger(full.database, { state: 'succeeded', warehouse, count: finished })
    await fillLedger(full.database, { state: 'pending', warehouse, count: pending, dueIn: 86_400_000 })
    rows.push([
      name,
      `${finished.toLocaleString('en')} finished, ${pending.toLocaleString('en')} pending, none due`,
      ...(await measure(full.database, claims)),
    ])
    console.error(`measured: ${name}`)
  }
  const printed = markdown(
    ['database', 'ledger', '#ms a claim', '#ms a poll that finds nothing', `#ms to prune ${prunedAtATime}`],
    rows,
  )
  console.log(printed)
  if (values.record) record('claims: what finding the next purge costs', setting, printed)
}

/** Claims purges of its own, which are due first; then polls in vain. */
async function measure(database: Database, claims: number): Promise<string[]> {
  if (database.dialect === 'postgres') await sql`ANALYZE purges`.execute(database.reader)
  const ledger = new Ledger(database)
  await fillLedger(database, {
    state: 'retained',
    warehouse,
    count: claims,
    dueIn: -86_400_000,
  })
  const claiming: number[] = []
  for (let claimed = 0; claimed < claims; claimed += batch) {
    const began = performance.now()
    const { leases } = await ledger.claimDue(turns, 'bench:1', batch)
    claiming.push((performance.now() - began) / batch)
    if (leases.length !== batch) throw new Error(`${leases.length} purges were claimed, not ${batch}`)
  }
  const polling: number[] = []
  for (let poll = 0; poll < 50; poll++) {
    const began = performance.now()
    await ledger.claimDue([{ warehouse: 'idle', leaseTime: 1 }], 'bench:1', batch)
    polling.push(performance.now() - began)
  }
  const began = performance.now()
  const pruned = await ledger.prune(warehouse, 0)
  const pruning = pruned === prunedAtATime ? figure(performance.now() - began) : '–'
  return [figure(quantiles(claiming).p50), figure(quantiles(polling).p50), pruning]
}

async function open(name: Name): Promise<{ readonly database: Database } & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'moulin-bench-'))
  const postgres = name === 'postgres' ? await durablePostgres() : undefined
  const database = await openDatabase(postgres?.url ?? `sqlite:${join(folder, 'catalog.db')}`)
  await migrate(database)
  return {
    database,
    [Symbol.asyncDispose]: async () => {
      await database.close()
      await postgres?.[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
