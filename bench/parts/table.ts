import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newTableMetadata } from '../../src/iceberg/metadata/builder.ts'
import type { Snapshot } from '../../src/iceberg/metadata/model.ts'
import { printTableMetadata } from '../../src/iceberg/metadata/print.ts'
import { type ListedManifest, writeManifestList } from '../../src/testing/table-writer/manifest-list.ts'
import { dataFile, fileBytes, ManifestPress, snapshotId } from './manifest-press.ts'

/** Files that one manifest names, at most. */
const manifestSize = 10_000

export interface TableSpec {
  /** Folder to write to. */
  readonly folder: string
  /** What the table takes for its location: that folder, or where it will be moved. */
  readonly location: string
  /** Data files. */
  readonly files: number
  /** Writes the data files, too, with arbitrary content; without, they are named only. */
  readonly data: boolean
  /** Snapshots, each with a manifest list of its own that names all manifests. @default 1 */
  readonly snapshots?: number
}

/** Writes a table of format version 2. @returns the location of its metadata file, to be registered */
export function writeTable({ folder, location, files, data, snapshots = 1 }: TableSpec): string {
  mkdirSync(join(folder, 'metadata'), { recursive: true })
  if (data) {
    mkdirSync(join(folder, 'data'))
    const content = Buffer.alloc(64)
    for (let number = 0; number < files; number++) writeFileSync(dataFile(folder, number), content)
  }
  const manifests: ListedManifest[] = []
  let press: ManifestPress | undefined
  for (let first = 0; first < files; first += manifestSize) {
    const entries = Math.min(manifestSize, files - first)
    if (press === undefined || entries < manifestSize) press = new ManifestPress(location, entries)
    const bytes = press.print(first)
    const name = `metadata/${randomUUID()}-m0.avro`
    writeFileSync(join(folder, name), bytes)
    manifests.push({
      path: `${location}/${name}`,
      length: bytes.length,
      snapshotId,
      added: entries,
      existing: 0,
      deleted: 0,
    })
  }
  const list = writeManifestList({ formatVersion: 2, manifests })
  const history = Array.from({ length: snapshots }, (_, index): Snapshot => {
    const name = `metadata/snap-${index}-${randomUUID()}.avro`
    writeFileSync(join(folder, name), list)
    return {
      snapshotId: snapshotId + BigInt(index),
      parentSnapshotId: index === 0 ? undefined : snapshotId + BigInt(index - 1),
      sequenceNumber: BigInt(index + 1),
      timestampMs: began + BigInt(index),
      manifestList: `${location}/${name}`,
      manifests: undefined,
      summary,
      schemaId: 0,
      firstRowId: undefined,
      addedRows: undefined,
      keyId: undefined,
    }
  })
  const root = `metadata/00001-${randomUUID()}.metadata.json`
  writeFileSync(join(folder, root), metadata(location, history))
  return `${location}/${root}`
}

const began = 1_764_000_000_000n

/** As Spark writes it for an append. */
const summary = {
  operation: 'append',
  'spark.app.id': 'application_1764000000000_0042',
  'added-data-files': '8',
  'added-records': '100000',
  'added-files-size': String(8 * fileBytes),
  'changed-partition-count': '1',
  'total-records': '100000000',
  'total-data-files': '100000',
  'total-delete-files': '0',
} as const

function metadata(location: string, snapshots: readonly Snapshot[]): string {
  const current = snapshots.at(-1)!
  const base = newTableMetadata({
    schema: {
      type: 'struct',
      fields: Array.from({ length: 20 }, (_, index) => ({
        id: index + 1,
        name: `column_${index + 1}`,
        required: false,
        type: index % 2 === 0 ? 'long' : 'string',
      })),
    },
    partitionSpec: undefined,
    writeOrder: undefined,
    location,
    properties: { 'format-version': '2' },
    uuid: randomUUID(),
    now: current.timestampMs,
  })
  return printTableMetadata({
    ...base,
    lastSequenceNumber: current.sequenceNumber,
    currentSnapshotId: current.snapshotId,
    refs: {
      main: {
        snapshotId: current.snapshotId,
        type: 'branch',
        minSnapshotsToKeep: undefined,
        maxSnapshotAgeMs: undefined,
        maxRefAgeMs: undefined,
      },
    },
    snapshots,
    snapshotLog: snapshots.map((snapshot) => ({
      snapshotId: snapshot.snapshotId,
      timestampMs: snapshot.timestampMs,
    })),
  })
}
