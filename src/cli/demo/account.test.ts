import { describe, expect, it } from 'vitest'
import type { PurgeState } from '../../database/schema/purges.ts'
import { styleFor } from '../style.ts'
import { accountTable, checks, type Evidence } from './account.ts'
import type { FileOnDisk } from './disk.ts'

const table = (name: string, folder: string, data: readonly string[] = []) => ({
  name,
  folder,
  written: { data: new Set(data), manifests: 0, manifestLists: 0, statistics: 0 },
})

const paths = [
  '/w/orders/data/a.parquet',
  '/w/orders/metadata/m0.avro',
  '/w/orders/metadata/snap-1.avro',
  '/w/orders/metadata/s.stats',
  '/w/orders/metadata/0.metadata.json',
  '/w/orders/metadata/1.metadata.json',
  '/w/orders2/data/b.parquet',
  '/w/archive/data/c.parquet',
]
const inventory = (names: readonly string[]): Map<string, FileOnDisk> =>
  new Map(names.map((name) => [name, { bytes: 10, hash: name }]))

/** A purge that went as it should: six files gone, one kept. */
function evidence(change: Partial<Evidence> = {}): Evidence {
  return {
    scenario: {
      orders: table('orders', '/w/orders', [paths[0]!]),
      archive: table('archive', '/w/archive'),
      orders2: table('orders2', '/w/orders2'),
      borrowed: 1,
    },
    before: inventory(paths),
    after: inventory(paths.slice(6)),
    rootLocation: 'file:///w/orders/metadata/1.metadata.json',
    record: { state: 'succeeded', counts: { data: { deleted: 1, kept: 1 }, metadata: { deleted: 5 } } },
    statusAfter: 404,
    ...change,
  }
}

const failed = (change: Partial<Evidence>) =>
  checks(evidence(change))
    .filter(({ passed }) => !passed)
    .map(({ text }) => text)
    .join('\n')

describe('the account of the demo', () => {
  it('is content when exactly the table is gone', () => {
    expect(checks(evidence()).map(({ passed }) => passed)).toEqual(Array(7).fill(true))
  })

  it('notices a file that is still there', () => {
    const after = inventory([paths[0]!, ...paths.slice(6)])
    expect(failed({ after })).toContain('5 of 6 files in the folder of shop.orders are gone')
  })

  it('notices a neighbour that lost a file, or has another one in its place', () => {
    expect(failed({ after: inventory(paths.slice(7)) })).toContain('shop.orders2: all 1 file byte for byte')
    const after = inventory(paths.slice(6)).set(paths[7]!, { bytes: 10, hash: 'other' })
    expect(failed({ after })).toContain('shop.archive: all 1 file byte for byte')
  })

  it('notices a file that appeared', () => {
    expect(failed({ after: inventory([...paths.slice(6), '/w/new']) })).toContain('nothing was written')
  })

  it('notices a ledger that says something else than the disk', () => {
    const counts = { data: { deleted: 1, kept: 1 }, metadata: { deleted: 4 } }
    expect(failed({ record: { state: 'succeeded', counts } })).toContain('5 files deleted')
    for (const state of ['failed', 'held', 'running'] satisfies PurgeState[]) {
      expect(failed({ record: { ...evidence().record, state } })).toContain(`the ledger says ${state}`)
    }
    const kept = { data: { deleted: 1 }, metadata: { deleted: 5 } }
    expect(failed({ record: { state: 'succeeded', counts: kept } })).toContain('which lives: kept')
  })

  it('notices a table that the catalog still has', () => {
    expect(failed({ statusAfter: 204 })).toContain('(204)')
  })

  it('counts each file of the disk in one stage', () => {
    const lines = accountTable(evidence(), styleFor(process.stdout)).map((line) => line.split(/\s{2,}/))
    expect(lines.map((cells) => [cells[0], cells.at(-2), cells.at(-1)?.trim()]).slice(1, 7)).toEqual([
      ['data and delete files', '1', '10 B'],
      ['manifests', '1', '10 B'],
      ['manifest lists', '1', '10 B'],
      ['statistics', '1', '10 B'],
      ['older metadata files', '1', '10 B'],
      ['the root metadata file', '1', '10 B'],
    ])
  })
})
