/**
 * The resident set of a worker process (`moulin worker`) over one purge each, of tables of ever more files, and of one
 * with a long history. Manifests, manifest lists and metadata are real; the store is a stand-in that forgets what it is
 * told to delete (`store.ts`), and data files are named only. Tables are written to memory (`/dev/shm`). Linux only.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { wholeNumber } from '../parts/arguments.ts'
import { figure } from '../parts/quantiles.ts'
import { createNamespace, dropTable, registerTables, untilSucceeded } from '../parts/rest.ts'
import { machine, markdown, record } from '../parts/results.ts'
import { writeTable } from '../parts/table.ts'
import { residentSet, start } from './processes.ts'
import { forgetfulStore } from './store.ts'

export const description = 'memory of a worker over purges of 10,000 to 10,000,000 files'

/** Above idle, at most. */
const bound = 256e6
/** Milliseconds after which a worker that has started is idle. */
const settling = 3_000

interface Case {
  readonly files: number
  readonly snapshots: number
}

interface Measured extends Case {
  readonly idle: number
  readonly peak: number
  readonly seconds: number
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      files: { type: 'string', default: '10000,1000000,10000000' },
      snapshots: { type: 'string', default: '200000' },
      folder: { type: 'string', default: '/dev/shm' },
      record: { type: 'boolean', default: false },
    },
  })
  const cases: Case[] = [
    ...values.files.split(',').map((files) => ({ files: wholeNumber('files', files), snapshots: 1 })),
    { files: 1_000, snapshots: wholeNumber('snapshots', values.snapshots) },
  ]
  const setting = `\`npm run bench -- memory\`: a fresh \`moulin worker\` for each purge, SQLite, an S3 stand-in, 4 workers; ${machine()}`
  console.log(`${setting}\n`)
  const measured: Measured[] = []
  for (const each of cases) {
    measured.push(await measure(each, values.folder))
    console.error(`measured: ${each.files} files, ${each.snapshots} snapshots`)
  }
  const printed = report(measured)
  console.log(printed)
  if (measured.some(({ idle, peak }) => peak - idle >= bound)) {
    console.error(`\nMore than ${bound / 1e6} MB above idle.`)
    process.exitCode = 1
  }
  if (values.record) record('memory: the resident set of a worker', setting, printed)
}

async function measure({ files, snapshots }: Case, parent: string): Promise<Measured> {
  const folder = mkdtempSync(join(parent, 'moulin-bench-'))
  try {
    await using store = await forgetfulStore(folder)
    const location = 's3://lake/table'
    const metadataLocation = writeTable({
      folder: join(folder, 'lake/table'),
      location,
      files,
      data: false,
      snapshots,
    })
    const config = join(folder, 'moulin.yaml')
    writeFileSync(config, stringify(configuration(store.endpoint)))

    await using server = await start(['serve', '--no-workers', '--config', config], /http:\/\/[\d.]+:\d+/)
    const api = `${server.said}/v1/main`
    await createNamespace(api)
    await registerTables(api, [{ name: 'table', metadataLocation }])

    await using worker = await start(['worker', '--config', config], /works on the purges/)
    await sleep(settling)
    const idle = residentSet(worker.pid).now
    const began = performance.now()
    await untilSucceeded([await dropTable(api, 'table')])
    const seconds = (performance.now() - began) / 1_000
    return { files, snapshots, idle, peak: residentSet(worker.pid).highest, seconds }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function configuration(endpoint: string): object {
  return {
    server: { port: 0 },
    warehouses: {
      main: {
        location: 's3://lake/warehouse',
        storage: {
          type: 's3',
          endpoint,
          pathStyleAccess: true,
          accessKeyId: 'bench',
          secretAccessKey: 'bench',
        },
      },
    },
    purge: { pollInterval: '1s' },
    logging: { level: 'warn' },
  }
}

function report(measured: readonly Measured[]): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)
  return markdown(
    ['#data files', '#snapshots', '#idle MB', '#peak MB', '#above idle MB', '#seconds'],
    measured.map(({ files, snapshots, idle, peak, seconds }) => [
      files.toLocaleString('en'),
      snapshots.toLocaleString('en'),
      ...[idle, peak, peak - idle].map(megabytes),
      figure(seconds),
    ]),
  )
}
