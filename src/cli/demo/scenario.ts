import type { WrittenFile } from '../../testing/table-writer/manifest.ts'
import { orders, positionDeletes, regions } from './parquet.ts'
import { puffin } from './puffin.ts'
import type { RestClient } from './rest.ts'
import { DemoTable } from './table.ts'

export interface Scenario {
  /** The table that will be dropped. */
  readonly orders: DemoTable
  /** Lives on. Some of its data files were added to `orders`, too, as Spark's `add_files` does. */
  readonly archive: DemoTable
  /** Lives on, in a folder that is named like that of `orders` and goes on with a 2. */
  readonly orders2: DemoTable
  /** Data files of `archive` that `orders` also lists. */
  readonly borrowed: number
}

export const namespace = 'shop'
const rowsPerFile = 20
const borrowedFiles = 40
const neighbourFiles = 60
const batches = 4

/** Number of files that {@link makeTables} writes itself, metadata files of the catalog aside. */
export function plannedFiles(dataFiles: number): number {
  return dataFiles + deleteFilesFor(dataFiles) + 1 + neighbourFiles * 2
}

const regionOf = (file: WrittenFile) => String(file.partition?.region)
const deleteFilesFor = (dataFiles: number) => Math.ceil(dataFiles / 25)

/**
 * Makes three tables over REST. `orders`: partitioned, `dataFiles` data files in several appends, a snapshot that adds
 * another table's files, position deletes, a compaction, statistics.
 */
export async function makeTables(
  client: RestClient,
  dataFiles: number,
  onFile: () => void,
): Promise<Scenario> {
  await client.request('POST', '/namespaces', { body: { namespace: [namespace], properties: {} } })
  let nextId = 1
  const writeOrders = async (table: DemoTable, region: string, rows = rowsPerFile) => {
    const file = await table.writeFile('data', region, rows, orders(region, nextId, rows))
    nextId += rows
    onFile()
    return file
  }
  const writeMany = async (table: DemoTable, count: number) => {
    const files = []
    for (let i = 0; i < count; i++) files.push(await writeOrders(table, regions[i % regions.length]!))
    return files
  }

  const archive = await DemoTable.create(client, namespace, 'archive', { partitioned: true })
  const archived = await writeMany(archive, neighbourFiles)
  await archive.append(archived)

  const dropped = await DemoTable.create(client, namespace, 'orders', { partitioned: true })
  await dropped.append(archived.slice(0, borrowedFiles))
  const written: WrittenFile[][] = []
  for (let batch = 0; batch < batches; batch++) {
    const count = Math.floor((dataFiles * (batch + 1)) / batches) - Math.floor((dataFiles * batch) / batches)
    written.push(await writeMany(dropped, count))
    await dropped.append(written.at(-1)!)
  }
  const deletes = []
  for (const file of written.flat().slice(0, deleteFilesFor(dataFiles))) {
    const positions = [1, 5, 8]
    const bytes = positionDeletes(file.path, positions)
    deletes.push(await dropped.writeFile('position-deletes', regionOf(file), positions.length, bytes))
    onFile()
  }
  await dropped.deleteRows(deletes)
  // All of one region in the last append become one file.
  const region = regions[0]
  const small = written.at(-1)!.filter((file) => regionOf(file) === region)
  await dropped.replace(small, await writeOrders(dropped, region, rowsPerFile * small.length))
  await dropped.setStatistics((snapshotId, sequenceNumber) =>
    puffin(snapshotId, sequenceNumber, Buffer.from('the demo reads no sketches')),
  )

  const orders2 = await DemoTable.create(client, namespace, 'orders2', {
    partitioned: false,
    location: `${dropped.location}2`,
  })
  await orders2.append(await writeMany(orders2, neighbourFiles))
  return { orders: dropped, archive, orders2, borrowed: borrowedFiles }
}
