import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/config.ts'
import { parseConfig } from '../../config/load.ts'
import { startMoulin } from '../../server/moulin.ts'
import { localPath } from '../../storage/location.ts'
import { CommandError } from '../failure.ts'
import { plural, type Style, styleFor } from '../style.ts'
import { accountTable, checks, type Evidence } from './account.ts'
import { takeInventory } from './disk.ts'
import { ProgressLine } from './progress.ts'
import { count, currentStage, type PurgeRecord, PurgeWatch, settled } from './purge-watch.ts'
import { RestClient } from './rest.ts'
import { makeTables, namespace, plannedFiles, type Scenario } from './scenario.ts'

export interface DemoOptions {
  /** Data files of the table that is dropped. */
  readonly files: number
  readonly keep?: boolean
}

const warehouse = 'default'
const pollInterval = 50

/** `moulin demo`. Throws {@link CommandError} when the account does not add up. */
export async function demo(options: DemoOptions): Promise<void> {
  const started = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'moulin-demo-'))
  const cleanUp = () => {
    if (options.keep) console.log(`\nThe folder stays, because of --keep: ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
  const onSignal = () => {
    cleanUp()
    process.exit(130)
  }
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  try {
    await show(folder, options.files, styleFor(process.stdout))
  } finally {
    cleanUp()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
  const left = options.keep
    ? 'The server is stopped.'
    : 'The server is stopped, the folder removed: nothing is left behind.'
  console.log(`\nDone in ${secondsSince(started)}. ${left}`)
}

async function show(folder: string, dataFiles: number, style: Style): Promise<void> {
  const config = await parseConfig(
    JSON.stringify({
      server: { port: 0 },
      database: { url: 'sqlite:catalog.db' },
      warehouses: { [warehouse]: { location: 'warehouse' } },
      logging: { level: 'silent' },
    }),
    { folder },
  )
  const moulin = await startMoulin(config)
  try {
    console.log(`${style.bold('Moulin')} serves ${style.cyan(moulin.url)} from ${folder}`)
    const client = new RestClient(moulin.url, warehouse)
    const scenario = await make(client, dataFiles, style)
    report(await purge(client, scenario, config, style), style)
  } finally {
    await moulin.close()
  }
}

/** Drops the table between two inventories of the disk. */
async function purge(
  client: RestClient,
  scenario: Scenario,
  config: Config,
  style: Style,
): Promise<Evidence> {
  const files = localPath(config.warehouses[warehouse]!.location)
  const route = `/namespaces/${namespace}/tables/orders`
  const { body } = await client.request('GET', route)
  const before = await takeInventory(files)
  const own = [...before.keys()].filter((path) => path.startsWith(`${scenario.orders.folder}/`))
  const record = await drop(client, route, config.database.url, own.length + scenario.borrowed, style)
  const after = await takeInventory(files)
  const { status } = await client.request('HEAD', route, { expect: [200, 204, 404] })
  const rootLocation = body['metadata-location'] as string
  return { scenario, before, after, record, rootLocation, statusAfter: status }
}

function report(evidence: Evidence, style: Style): void {
  heading('What became of its files', style)
  for (const line of accountTable(evidence, style)) console.log(`  ${line}`)
  if (count(evidence.record.counts, 'absent') > 0) {
    console.log(style.dim('  (absent: listed by a second manifest, and erased already when its turn came)'))
  }
  heading('Checked by listing and hashing the disk, before and after', style)
  const results = checks(evidence)
  for (const { passed, text } of results) {
    console.log(`  ${passed ? style.green('✓') : style.red('✗')} ${text}`)
  }
  const wrong = results.filter(({ passed }) => !passed).length
  if (wrong > 0) {
    throw new CommandError(
      `${plural(wrong, 'check')} failed. Please report this, with the lines above; --keep leaves the files to look at.`,
    )
  }
}

async function make(client: RestClient, files: number, style: Style): Promise<Scenario> {
  heading('Making Iceberg tables: real Parquet files, real manifests, committed over REST', style)
  const progress = new ProgressLine(process.stdout, style)
  const planned = plannedFiles(files)
  const started = performance.now()
  let written = 0
  const scenario = await makeTables(client, files, () => progress.update(++written, planned, 'Parquet'))
  progress.finish(written, planned, `Parquet, in ${secondsSince(started)}`)

  const { orders, archive, orders2, borrowed } = scenario
  const { data, manifests, manifestLists } = orders.written
  const deletes = [...data].filter((path) => path.endsWith('-deletes.parquet')).length
  const describe = (name: string, text: string) => console.log(`  ${style.bold(name.padEnd(13))} ${text}`)
  describe(
    'shop.orders',
    `${plural(data.size - deletes, 'data file')}, ${plural(deletes, 'delete file')}, ${plural(manifests, 'manifest')}, ${plural(manifestLists, 'snapshot')}, statistics; partitioned, once compacted`,
  )
  describe(
    `shop.${archive.name}`,
    `${plural(archive.written.data.size, 'data file')}, ${borrowed} of which shop.orders lists, too (as add_files does)`,
  )
  describe(
    `shop.${orders2.name}`,
    `${plural(orders2.written.data.size, 'data file')} in a folder named like that of shop.orders, with a 2 at the end`,
  )
  return scenario
}

/**
 * Drops the table, and follows the ledger until its purge is over.
 *
 * @param total Number of files that the table reaches.
 */
async function drop(
  client: RestClient,
  route: string,
  databaseUrl: string,
  total: number,
  style: Style,
): Promise<PurgeRecord> {
  const path = `${route}?purgeRequested=true`
  heading(`DELETE /v1/${warehouse}${path}`, style)
  await using watch = await PurgeWatch.open(databaseUrl)
  const progress = new ProgressLine(process.stdout, style)
  const started = performance.now()
  const { status } = await client.request('DELETE', path)
  console.log(`  answered ${status} after ${Math.round(performance.now() - started)} ms; the files follow`)
  for (;;) {
    const record = await watch.read()
    if (record === undefined) throw new CommandError('The drop was answered, but the ledger has no purge.')
    if (record.state !== 'pending' && record.state !== 'running') {
      progress.finish(settled(record), total, `${record.state}, in ${secondsSince(started)}`)
      return record
    }
    progress.update(settled(record), total, currentStage(record))
    await sleep(pollInterval)
  }
}

function heading(text: string, style: Style): void {
  console.log(`\n${style.bold(text)}`)
}

function secondsSince(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}
