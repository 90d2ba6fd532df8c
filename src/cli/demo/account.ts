import { basename } from 'node:path'
import { type Outcome, outcomes, type Stage, stages } from '../../purge/purger.ts'
import { localPath } from '../../storage/location.ts'
import { formatBytes, formatCount, plural, type Style } from '../style.ts'
import type { FileOnDisk } from './disk.ts'
import { count, type PurgeRecord, stageNames } from './purge-watch.ts'
import type { DemoTable } from './table.ts'

type Inventory = ReadonlyMap<string, FileOnDisk>

type TableFiles = Pick<DemoTable, 'name' | 'folder' | 'written'>

export interface Evidence {
  readonly scenario: {
    readonly orders: TableFiles
    readonly archive: TableFiles
    readonly orders2: TableFiles
    readonly borrowed: number
  }
  /** Every file of the warehouse just before the drop, and just after. */
  readonly before: Inventory
  readonly after: Inventory
  /** Metadata file that the catalog's entry named at the drop. */
  readonly rootLocation: string
  readonly record: PurgeRecord
  /** Status of the answer to HEAD after the drop. */
  readonly statusAfter: number
}

export interface Check {
  readonly passed: boolean
  readonly text: string
}

/** What the ledger says, beside what is gone from the disk. */
export function accountTable(
  { before, after, scenario, rootLocation, record }: Evidence,
  style: Style,
): string[] {
  const root = localPath(rootLocation)
  const gone = [...before].filter(([path]) => !after.has(path))
  const shown: readonly Outcome[] = outcomes.filter(
    (outcome) => outcome === 'deleted' || outcome === 'kept' || count(record.counts, outcome) > 0,
  )
  // The sweep finds nothing where nobody but this demo writes.
  const beyond: readonly Stage[] = ['sweep', 'versions']
  const hasRow = (stage: Stage) => !beyond.includes(stage) || record.counts[stage] !== undefined
  const rowOf = (title: string, files: readonly (readonly [string, FileOnDisk])[], stage?: Stage) => [
    title,
    ...shown.map((outcome) => formatCount(count(record.counts, outcome, stage)).replace(/^0$/, '')),
    formatCount(files.length),
    formatBytes(files.reduce((sum, [, { bytes }]) => sum + bytes, 0)),
  ]
  const rows = [
    ['', ...shown.map((outcome) => `${outcome}`), 'gone from disk', 'freed'],
    ...stages.filter(hasRow).map((stage) =>
      rowOf(
        stageNames[stage],
        gone.filter(([path]) => stageOf(path, root, scenario) === stage),
        stage,
      ),
    ),
    rowOf('together', gone),
  ]
  return layOut(rows).map((line, index) => {
    if (index === 0) return style.dim(line)
    return index === rows.length - 1 ? style.bold(line) : line
  })
}

/** Each statement is computed from the listings of the disk, not from what the server says, where it can be. */
export function checks(evidence: Evidence): Check[] {
  const { scenario, before, after, rootLocation, record, statusAfter } = evidence
  const { orders, archive, orders2, borrowed } = scenario
  const gone = [...before.keys()].filter((path) => !after.has(path))
  const own = [...before.keys()].filter((path) => path.startsWith(`${orders.folder}/`))
  const left = own.filter((path) => after.has(path))
  const strangers = gone.filter((path) => !path.startsWith(`${orders.folder}/`))
  const appeared = [...after.keys()].filter((path) => !before.has(path))
  const deleted = count(record.counts, 'deleted')
  return [
    {
      passed: left.length === 0 && own.length > 0 && own.includes(localPath(rootLocation)),
      text: `${formatCount(own.length - left.length)} of ${plural(own.length, 'file')} in the folder of shop.orders are gone`,
    },
    {
      passed: deleted === gone.length && record.state === 'succeeded',
      text: `the ledger says ${record.state}, ${plural(deleted, 'file')} deleted: as many as are gone`,
    },
    {
      passed: count(record.counts, 'kept') === borrowed,
      text: `${plural(borrowed, 'data file')} that shop.orders lists lie in the folder of shop.archive, which lives: kept`,
    },
    ...[archive, orders2].map((table) => unchanged(table, before, after)),
    {
      passed: strangers.length === 0 && appeared.length === 0,
      text: 'nothing else was erased, and nothing was written',
    },
    { passed: statusAfter === 404, text: `the catalog knows no shop.orders any more (${statusAfter})` },
  ]
}

function unchanged(table: TableFiles, before: Inventory, after: Inventory): Check {
  const files = [...before].filter(([path]) => path.startsWith(`${table.folder}/`))
  return {
    passed: files.length > 0 && files.every(([path, { hash }]) => after.get(path)?.hash === hash),
    text: `shop.${table.name}: all ${plural(files.length, 'file')} byte for byte as before`,
  }
}

/** By the names that the demo and the catalog give to files. */
function stageOf(path: string, root: string, { orders }: Evidence['scenario']): Stage {
  const name = basename(path)
  if (path === root) return 'root'
  if (orders.written.data.has(path)) return 'data'
  if (name.endsWith('.stats')) return 'statistics'
  if (name.startsWith('snap-')) return 'manifest-lists'
  return name.endsWith('.avro') ? 'manifests' : 'metadata'
}

/** Columns to their widest cell; the first to the left, the others to the right. */
function layOut(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]! + 3)))
      .join(''),
  )
}
