import { randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { newTableMetadata } from '../../iceberg/metadata/builder.ts'
import type { FormatVersion, Properties, Snapshot, TableMetadata } from '../../iceberg/metadata/model.ts'
import { printTableMetadata } from '../../iceberg/metadata/print.ts'
import type { Purge, Stage } from '../../purge/purger.ts'
import { mapBounded } from '../../storage/concurrency.ts'
import type { FileIO } from '../../storage/file-io.ts'
import type { AvroCodec } from './avro-file.ts'
import { type WrittenEntry, writeManifest } from './manifest.ts'
import { type ListedManifest, writeManifestList } from './manifest-list.ts'

/** Data files written at a time. */
const writesInFlight = 32

export interface TableOptions {
  /** @default 2 */
  readonly formatVersion?: FormatVersion
  /** Each appends one manifest; every manifest list names all manifests before it, too. @default 3 */
  readonly snapshots?: number
  /** Data files of one snapshot. @default 4 */
  readonly filesPerSnapshot?: number
  /** @default "deflate" */
  readonly codec?: AvroCodec
  /** Root metadata as gzip. @default false */
  readonly gzip?: boolean
  /** v1 without manifest lists. @default false */
  readonly embedManifests?: boolean
  readonly properties?: Properties
  /** Locations of data files that this table lists besides its own. */
  readonly borrowed?: readonly string[]
}

export interface WrittenTable {
  /** What the ledger would hold once the table is dropped. */
  readonly purge: Purge
  readonly metadata: TableMetadata
  /** Every file that was written and is reachable, by stage. Borrowed files are not among them. */
  readonly files: Readonly<Record<Stage, readonly string[]>>
  /** Paths that each manifest lists, in their order. */
  readonly manifests: readonly { readonly path: string; readonly entries: readonly string[] }[]
}

/**
 * Writes a small but complete table: data files, position and equality deletes (v2), deletion vectors (v3), an entry of
 * status DELETED, both kinds of statistics, older metadata, the root. The content of data files is arbitrary.
 */
export async function writeTable(
  io: FileIO,
  location: string,
  options: TableOptions = {},
): Promise<WrittenTable> {
  return await new TableWriter(io, location, options).write()
}

class TableWriter {
  readonly #io: FileIO
  readonly #location: string
  readonly #options: TableOptions
  readonly #version: FormatVersion
  readonly #files: Record<Stage, string[]> = {
    data: [],
    manifests: [],
    'manifest-lists': [],
    statistics: [],
    metadata: [],
    root: [],
    sweep: [],
    versions: [],
  }
  readonly #manifests: ListedManifest[] = []
  readonly #entries: { path: string; entries: string[] }[] = []

  constructor(io: FileIO, location: string, options: TableOptions) {
    this.#io = io
    this.#location = location
    this.#options = options
    this.#version = options.formatVersion ?? 2
  }

  async write(): Promise<WrittenTable> {
    const snapshots: Snapshot[] = []
    for (let index = 0; index < (this.#options.snapshots ?? 3); index++)
      snapshots.push(await this.#snapshot(index))
    const metadata = await this.#metadata(snapshots)
    const suffix = this.#options.gzip ? '.gz.metadata.json' : '.metadata.json'
    const text = Buffer.from(printTableMetadata(metadata))
    const root = await this.#file(
      'root',
      `metadata/00002-${randomUUID()}${suffix}`,
      this.#options.gzip ? gzipSync(text) : text,
    )
    return { purge: this.#purge(root, metadata), metadata, files: this.#files, manifests: this.#entries }
  }

  #purge(root: string, metadata: TableMetadata): Purge {
    return {
      id: randomUUID(),
      kind: 'table',
      warehouse: 'main',
      namespace: ['ns'],
      name: 'table',
      uuid: metadata.tableUuid,
      metadataLocation: root,
      locations: [{ location: this.#location, owned: true }],
      request: { principal: 'test', requestId: 'test', client: 'test', requestedAt: 0 },
    }
  }

  async #snapshot(index: number): Promise<Snapshot> {
    const snapshotId = 5_000_000_000_000_000_007n + BigInt(index)
    await this.#manifest(`m${index}-data`, snapshotId, await this.#dataEntries(index, snapshotId))
    if (this.#version > 1)
      await this.#manifest(`m${index}-deletes`, snapshotId, await this.#deleteEntries(index, snapshotId))
    const embedded = this.#options.embedManifests
    const list = writeManifestList({
      formatVersion: this.#version,
      manifests: this.#manifests,
      codec: this.#options.codec ?? 'deflate',
    })
    return {
      snapshotId,
      parentSnapshotId: undefined,
      sequenceNumber: this.#version > 1 ? BigInt(index + 1) : 0n,
      timestampMs: BigInt(1_700_000_000_000 + index),
      manifestList: embedded
        ? undefined
        : await this.#file('manifest-lists', `metadata/snap-${index}-${randomUUID()}.avro`, list),
      manifests: embedded ? this.#manifests.map(({ path }) => path) : undefined,
      summary: { operation: 'append' },
      schemaId: 0,
      firstRowId: this.#version === 3 ? BigInt(index) : undefined,
      addedRows: this.#version === 3 ? 1n : undefined,
      keyId: undefined,
    }
  }

  async #dataEntries(index: number, snapshotId: bigint): Promise<WrittenEntry[]> {
    const count = this.#options.filesPerSnapshot ?? 4
    const paths = Array.from({ length: count }, (_, file) => `data/p=${file % 3}/${index}-${file}.parquet`)
    const written = await mapBounded(paths, writesInFlight, (path) =>
      this.#write(path, Buffer.from(`data of ${path}`)),
    )
    this.#files.data.push(...written)
    // A file that only an entry of status DELETED names is reachable all the same.
    const entries: WrittenEntry[] = written.map((path, file) => ({
      snapshotId,
      status: file === 1 ? 'deleted' : 'added',
      file: { path },
    }))
    if (index === 0) {
      for (const path of this.#options.borrowed ?? []) entries.push({ snapshotId, file: { path } })
    }
    return entries
  }

  async #deleteEntries(index: number, snapshotId: bigint): Promise<WrittenEntry[]> {
    const entries: WrittenEntry[] = []
    for (const content of ['position-deletes', 'equality-deletes'] as const) {
      const path = await this.#file('data', `data/${index}-${content}.parquet`, Buffer.from(content))
      entries.push({ snapshotId, file: { path, content } })
    }
    if (this.#version === 3) {
      const path = await this.#file('data', `data/${index}-vectors.puffin`, Buffer.from('PFA1'))
      const referencedDataFile = this.#files.data[0]!
      entries.push({
        snapshotId,
        file: {
          path,
          content: 'position-deletes',
          format: 'PUFFIN',
          referencedDataFile,
          contentOffset: 4,
          contentSize: 10,
        },
      })
    }
    return entries
  }

  async #manifest(name: string, snapshotId: bigint, entries: readonly WrittenEntry[]): Promise<void> {
    const bytes = writeManifest({
      formatVersion: this.#version,
      entries,
      codec: this.#options.codec ?? 'deflate',
      // Several blocks even for a few entries.
      blockSize: entries.length > 100 ? 500 : 2,
    })
    const path = await this.#file('manifests', `metadata/${name}-${randomUUID()}.avro`, bytes)
    this.#entries.push({ path, entries: entries.map(({ file }) => file.path) })
    const deleted = entries.filter(({ status }) => status === 'deleted').length
    this.#manifests.push({
      path,
      length: bytes.length,
      content: name.endsWith('deletes') ? 'deletes' : 'data',
      snapshotId,
      added: entries.length - deleted,
      existing: 0,
      deleted,
    })
  }

  async #metadata(snapshots: readonly Snapshot[]): Promise<TableMetadata> {
    const base = newTableMetadata({
      schema: { type: 'struct', fields: [{ id: 1, name: 'id', required: true, type: 'long' }] },
      partitionSpec: undefined,
      writeOrder: undefined,
      location: this.#location,
      properties: { ...this.#options.properties, 'format-version': String(this.#version) },
      uuid: randomUUID(),
      now: 1_700_000_001_000n,
    })
    const current = snapshots.at(-1)
    const statistics = await this.#file('statistics', 'metadata/column.stats', Buffer.from('PFA1'))
    const partitionStatistics = await this.#file('statistics', 'metadata/partition.stats', Buffer.from('x'))
    const older: string[] = []
    for (const number of [0, 1]) {
      older.push(
        await this.#file(
          'metadata',
          `metadata/0000${number}-${randomUUID()}.metadata.json`,
          Buffer.from('{}'),
        ),
      )
    }
    const snapshotId = current?.snapshotId ?? 1n
    return {
      ...base,
      snapshots,
      lastSequenceNumber: current?.sequenceNumber ?? 0n,
      currentSnapshotId: current?.snapshotId,
      nextRowId: this.#version === 3 ? BigInt(snapshots.length) : 0n,
      statistics: [
        {
          snapshotId,
          statisticsPath: statistics,
          fileSizeInBytes: 4n,
          fileFooterSizeInBytes: 1n,
          keyMetadata: undefined,
          blobMetadata: [],
        },
      ],
      partitionStatistics: [{ snapshotId, statisticsPath: partitionStatistics, fileSizeInBytes: 1n }],
      metadataLog: older.map((metadataFile, index) => ({
        timestampMs: BigInt(1_700_000_000_000 + index),
        metadataFile,
      })),
    }
  }

  async #file(stage: Stage, name: string, bytes: Uint8Array): Promise<string> {
    const path = await this.#write(name, bytes)
    this.#files[stage].push(path)
    return path
  }

  async #write(name: string, bytes: Uint8Array): Promise<string> {
    const path = `${this.#location}/${name}`
    await this.#io.write(path, bytes)
    return path
  }
}
