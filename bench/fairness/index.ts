/**
 * Who waits for whom: a thousand tables of three warehouses dropped at once, 900, 90 and 10 of them; and two hundred small
 * tables dropped while four huge ones are purged. Times are the ledger's. Starts everything itself; warehouses are in
 * memory (`/dev/shm`), so that the disk is the database's.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { mapBounded } from '../../src/storage/concurrency.ts'
import { serveMoulin } from '../../test/interop/serve.ts'
import { choices, wholeNumber } from '../parts/arguments.ts'
import { durablePostgres } from '../parts/postgres.ts'
import { figure, quantiles } from '../parts/quantiles.ts'
import {
  createNamespace,
  dropTable,
  registerTables,
  untilSucceeded,
  type WatchedPurge,
  watch,
} from '../parts/rest.ts'
import { machine, markdown, record } from '../parts/results.ts'
import { writeTable } from '../parts/table.ts'

export const description = 'how long purges wait for those of other warehouses, and small ones for huge ones'

/** Of the tables that are dropped at once, the share of each. */
const warehouses = { large: 0.9, middle: 0.09, small: 0.01 } as const
const smallTable = 10
const hugeTables = 4
/** Requests in flight while tables are dropped at once. */
const connections = 100

type Database = 'sqlite' | 'postgres'

interface Served {
  readonly url: string
  /** Holds the warehouses' folders. */
  readonly folder: string
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      database: { type: 'string', default: 'all' },
      tables: { type: 'string', default: '1000' },
      huge: { type: 'string', default: '200000' },
      folder: { type: 'string', default: '/dev/shm' },
      record: { type: 'boolean', default: false },
    },
  })
  const huge = wholeNumber('huge', values.huge)
  const tables = wholeNumber('tables', values.tables)
  const smallTables = Math.ceil(tables / 5)
  const setting =
    `\`npm run bench -- fairness\`: tables of ${smallTable} data files, huge ones of ${huge.toLocaleString('en')} that are ` +
    `named only; ${connections} DELETEs in flight; 4 workers; warehouses in ${values.folder}; ${machine()}`
  console.log(`${setting}\n`)
  const byWarehouse: string[][] = []
  const unfair: string[] = []
  const bySize: string[][] = []
  for (const database of choices('database', values.database, ['sqlite', 'postgres'] as const)) {
    const spreads = await betweenWarehouses(database, values.folder, tables)
    if (!isFair(spreads)) unfair.push(database)
    byWarehouse.push(...spreads.map(rowOf))
    bySize.push(...(await smallBesideHuge(database, values.folder, smallTables, huge)))
    console.error(`measured: ${database}`)
  }
  const waits = ['#waited s: p50', '#p99', '#max', '#finished s: p50', '#max']
  const printed = [
    `${tables.toLocaleString('en')} tables dropped at once; seconds from the drop of each.`,
    markdown(
      ['database', 'warehouse', '#purges', ...waits, '#last finished s after the first drop of all'],
      byWarehouse,
    ),
    `${smallTables} small tables dropped while ${hugeTables} huge ones are purged; seconds from the drop of each.`,
    markdown(['database', 'tables', '#purges', ...waits], bySize),
  ].join('\n\n')
  console.log(printed)
  if (unfair.length > 0) {
    console.error(`\nUnfair on ${unfair.join(', ')}: the small warehouse waited as long as the large one.`)
    process.exitCode = 1
  }
  if (values.record) record('fairness: who waits for whom', setting, printed)
}

interface WarehouseSpread {
  readonly database: Database
  readonly warehouse: string
  readonly purges: readonly WatchedPurge[]
  /** Seconds after the first drop of all. */
  readonly end: number
}

function rowOf({ database, warehouse, purges, end }: WarehouseSpread): string[] {
  return [database, warehouse, String(purges.length), ...spread(purges), figure(end)]
}

/** Every purge of the small warehouse has started before half of the large one's have. */
function isFair(spreads: readonly WarehouseSpread[]): boolean {
  const starts = (warehouse: string) =>
    quantiles(spreads.find((each) => each.warehouse === warehouse)!.purges.map(({ startedAt }) => startedAt!))
  return starts('small').max < starts('large').p50
}

async function betweenWarehouses(
  database: Database,
  folder: string,
  tables: number,
): Promise<WarehouseSpread[]> {
  await using served = await serve(database, folder, Object.keys(warehouses))
  const doomed: { readonly api: string; readonly name: string }[] = []
  for (const [warehouse, share] of Object.entries(warehouses)) {
    const count = Math.max(1, Math.round(tables * share))
    doomed.push(
      ...(await prepare(served, warehouse, named('table', count), { files: smallTable, data: true })),
    )
  }
  // The large tenant's come first, so that the others would stand behind them.
  const purges = await watched(await mapBounded(doomed, connections, ({ api, name }) => dropTable(api, name)))
  const began = Math.min(...purges.map(({ requestedAt }) => requestedAt))
  return Object.keys(warehouses).map((warehouse) => {
    const own = purges.filter((purge) => purge.warehouse === warehouse)
    const end = (Math.max(...own.map(({ finishedAt }) => finishedAt!)) - began) / 1_000
    return { database, warehouse, purges: own, end }
  })
}

async function smallBesideHuge(
  database: Database,
  folder: string,
  smallTables: number,
  huge: number,
): Promise<string[][]> {
  await using served = await serve(database, folder, ['main'])
  const larger = await prepare(served, 'main', named('huge', hugeTables), { files: huge, data: false })
  const smaller = await prepare(served, 'main', named('small', smallTables), {
    files: smallTable,
    data: true,
  })
  const hugeMonitors = await mapBounded(larger, connections, ({ api, name }) => dropTable(api, name))
  while ((await watch(hugeMonitors)).some(({ startedAt }) => startedAt === undefined)) await pause()
  const smallMonitors = await mapBounded(smaller, connections, ({ api, name }) => dropTable(api, name))
  const small = await watched(smallMonitors)
  const large = await watched(hugeMonitors)
  const row = (what: string, purges: readonly WatchedPurge[]) => [
    ...[database, what, String(purges.length)],
    ...spread(purges),
  ]
  return [row('small', small), row('huge', large)]
}

function named(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}_${index}`)
}

/** Writes tables into a warehouse's folder and registers them. */
async function prepare(
  { folder, url }: Served,
  warehouse: string,
  names: readonly string[],
  contents: { readonly files: number; readonly data: boolean },
): Promise<{ readonly api: string; readonly name: string }[]> {
  const api = `${url}/v1/${warehouse}`
  const tables = names.map((name) => {
    const place = join(folder, warehouse, 'registered', name)
    return { name, metadataLocation: writeTable({ folder: place, location: `file://${place}`, ...contents }) }
  })
  await registerTables(api, tables)
  return names.map((name) => ({ api, name }))
}

async function watched(monitors: readonly string[]): Promise<WatchedPurge[]> {
  await untilSucceeded(monitors)
  return await watch(monitors)
}

/** Seconds from the drop of each until its purge was started, and finished. */
function spread(purges: readonly WatchedPurge[]): string[] {
  const seconds = (at: 'startedAt' | 'finishedAt') =>
    quantiles(purges.map((purge) => (purge[at]! - purge.requestedAt) / 1_000))
  const [started, finished] = [seconds('startedAt'), seconds('finishedAt')]
  return [started.p50, started.p99, started.max, finished.p50, finished.max].map(figure)
}

/** Moulin with these warehouses, as folders in a new one below `parent`. */
async function serve(
  database: Database,
  parent: string,
  names: readonly string[],
): Promise<Served & AsyncDisposable> {
  const folder = mkdtempSync(join(parent, 'moulin-bench-'))
  const postgres = database === 'postgres' ? await durablePostgres() : undefined
  const served = await serveMoulin(() => ({
    ...(postgres && { database: { url: postgres.url } }),
    warehouses: Object.fromEntries(names.map((name) => [name, { location: join(folder, name) }])),
    logging: { level: 'warn' },
  }))
  for (const name of names) await createNamespace(`${served.url}/v1/${name}`)
  return {
    url: served.url,
    folder,
    [Symbol.asyncDispose]: async () => {
      await served[Symbol.asyncDispose]()
      await postgres?.[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50))
}
