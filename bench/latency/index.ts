/**
 * How long clients wait while tables are purged: DELETE, loadTable and commit at fixed rates, then a hundred DELETEs in
 * the same instant. Moulin beside Iceberg's reference server (Java), whose DELETE purges on the request. Linux only; the
 * reference server needs Java 17 and Maven.
 *
 * What is measured is the server, so the store costs next to nothing and shares nothing with the database: a warehouse is
 * a folder in memory (`/dev/shm`), where a deletion is one system call. A stand-in of an object store would take the
 * larger part of the same two cores; on one disk, the journal that takes thousands of deletions keeps the database's
 * commits waiting, which no object store does. `--folder` chooses another place.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { choices, wholeNumber } from '../parts/arguments.ts'
import { machine, record } from '../parts/results.ts'
import { type Measured, measure, type Plan } from './measure.ts'
import { DoomedTables, mixed } from './mix.ts'
import { refused, report } from './report.ts'
import { rates } from './schedule.ts'
import { kinds } from './subjects.ts'

export const description = "latency of requests while tables are purged, beside Iceberg's reference server"

const warmUpSeconds = 5
const atOnce = 100

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      subjects: { type: 'string', default: 'all' },
      database: { type: 'string', default: 'all' },
      seconds: { type: 'string', default: '30' },
      largest: { type: 'string', default: '1000000' },
      folder: { type: 'string', default: '/dev/shm' },
      record: { type: 'boolean', default: false },
    },
  })
  const subjects = choices('subjects', values.subjects, ['sql-async', 'synchronous', 'reference'])
  const databases = choices('database', values.database, ['sqlite', 'postgres'])
  const seconds = wholeNumber('seconds', values.seconds)
  const largest = wholeNumber('largest', values.largest)
  const chosen = kinds.filter(
    ({ option, database }) => subjects.includes(option) && databases.includes(database),
  )

  const setting = settingOf(seconds, largest, values.folder)
  console.log(`${setting}\n`)
  const folder = mkdtempSync(join(values.folder, 'moulin-bench-'))
  try {
    const plan = planOf(folder, seconds, largest)
    const measured: Measured[] = []
    for (const kind of chosen) {
      measured.push(await measure(kind, plan))
      console.error(`measured: ${kind.name}`)
    }
    const printed = report(measured)
    console.log(printed)
    const invalid = measured.filter(isInvalid)
    if (invalid.length > 0) {
      const names = invalid.map(({ subject }) => subject).join('; ')
      console.error(`\nInvalid, because requests were refused or files are left: ${names}`)
      process.exitCode = 1
    }
    if (values.record) record('latency: requests while tables are purged', setting, printed)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param largest data files of the largest table */
function planOf(folder: string, seconds: number, largest: number): Plan {
  const drops = mixed('steady', rates.DELETE * seconds)
  // The largest first, so that they are purged during the whole time.
  drops[0] = { ...drops[0]!, files: largest }
  drops[1] = { ...drops[1]!, files: secondOf(largest) }
  const warmUp = Array.from({ length: rates.DELETE * warmUpSeconds }, (_, index) => ({
    name: `warm_${index}`,
    files: 10,
  }))
  const lead = { name: 'lead', files: secondOf(largest) }
  const burst = mixed('burst', atOnce)
  const warehouse = join(folder, 'warehouse')
  return {
    warehouse,
    tables: new DoomedTables(join(folder, 'original'), join(warehouse, 'registered'), [
      ...warmUp,
      ...drops,
      lead,
      ...burst,
    ]),
    warmUp: { seconds: warmUpSeconds, drops: warmUp },
    steady: { seconds, drops },
    burst: { lead, drops: burst },
  }
}

function secondOf(largest: number): number {
  return Math.max(1, Math.floor(largest / 10))
}

function settingOf(seconds: number, largest: number, folder: string): string {
  const { DELETE, loadTable, commit } = rates
  return (
    `\`npm run bench -- latency\`: open loop of ${seconds} s, after ${warmUpSeconds} s to warm up: ${DELETE} drops with ` +
    `purge, ${loadTable} loads and ${commit} commits a second, each timed from the moment when it was due. Of 100 tables ` +
    `dropped, 50 have 1 data file, 30 have 10, 14 have 100, 5 have 1,000, one has 10,000; the first two of all have ` +
    `${largest.toLocaleString('en')} and ${secondOf(largest).toLocaleString('en')}, which are named only where that is more than 10,000. ` +
    `Then ${atOnce} DELETEs in the same instant, half a second after that of a table of the latter size. Milliseconds; warehouses in ${folder}; databases on the disk, committing to it; ${machine()}`
  )
}

function isInvalid({ steady, burst, left }: Measured): boolean {
  return left > 0 || refused([...steady, ...burst]) !== 'none'
}
