import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { localPath } from '../../storage/location.ts'
import { type WrittenEntry, type WrittenFile, writeManifest } from '../../testing/table-writer/manifest.ts'
import { type ListedManifest, writeManifestList } from '../../testing/table-writer/manifest-list.ts'
import { schema } from './parquet.ts'
import type { RestClient } from './rest.ts'

const partitionField = { name: 'region', transform: 'identity', 'source-id': 2, 'field-id': 1000 }
const partitionColumn = { fieldId: 1000, name: 'region', type: 'string' }

/** A manifest with what is in it: a later snapshot may have to write it anew. */
interface Manifest extends ListedManifest {
  readonly entries: readonly WrittenEntry[]
}

/** The snapshot that is being made. */
interface Next {
  readonly snapshotId: bigint
  readonly sequenceNumber: number
}

const toEntry =
  (status: WrittenEntry['status'], next: Next) =>
  (file: WrittenFile): WrittenEntry => ({ status, file, ...next })

export interface CreateOptions {
  readonly partitioned: boolean
  /** Where the table lives. @default the catalog decides */
  readonly location?: string
}

/**
 * One Iceberg table (format version 2) as an engine would write it: this side makes the files on the disk, the catalog
 * is asked over REST to take them up.
 */
export class DemoTable {
  /** As the catalog has assigned it, `file:///…`. */
  readonly location: string
  readonly name: string
  /** What has been written, by stage, in absolute paths; metadata files are the catalog's. */
  readonly written = { data: new Set<string>(), manifests: 0, manifestLists: 0, statistics: 0 }
  readonly #client: RestClient
  readonly #isPartitioned: boolean
  readonly #route: string
  #manifests: readonly Manifest[] = []
  #parent: bigint | undefined
  #sequenceNumber = 0

  static async create(
    client: RestClient,
    namespace: string,
    name: string,
    { partitioned, location }: CreateOptions,
  ): Promise<DemoTable> {
    const route = `/namespaces/${namespace}/tables`
    const { body } = await client.request('POST', route, {
      body: {
        name,
        location,
        schema,
        'partition-spec': { 'spec-id': 0, fields: partitioned ? [partitionField] : [] },
        properties: { 'format-version': '2' },
      },
    })
    const metadata = body.metadata as { location: string }
    return new DemoTable(client, name, `${route}/${name}`, metadata.location, partitioned)
  }

  private constructor(
    client: RestClient,
    name: string,
    route: string,
    location: string,
    isPartitioned: boolean,
  ) {
    this.#client = client
    this.name = name
    this.#route = route
    this.location = location
    this.#isPartitioned = isPartitioned
  }

  get snapshots(): number {
    return this.#sequenceNumber
  }

  /** Folder of the table on the disk. */
  get folder(): string {
    return localPath(this.location)
  }

  /** Writes a Parquet file below the table's location, and says how a manifest lists it. */
  async writeFile(
    content: 'data' | 'position-deletes',
    region: string,
    rows: number,
    bytes: Buffer,
  ): Promise<WrittenFile> {
    const folder = this.#isPartitioned ? `data/region=${region}` : 'data'
    const suffix = content === 'data' ? '' : '-deletes'
    const name = `${folder}/${String(this.written.data.size).padStart(5, '0')}-${randomUUID()}${suffix}.parquet`
    this.written.data.add(await this.#write(name, bytes))
    const path = `${this.location}/${name}`
    return {
      content,
      path,
      recordCount: rows,
      fileSize: bytes.length,
      ...(this.#isPartitioned ? { partition: { region } } : {}),
    }
  }

  /** Commits a snapshot that adds data files. */
  async append(files: readonly WrittenFile[]): Promise<void> {
    await this.#commit('append', async (next) => {
      const added = await this.#writeManifest('data', next, files.map(toEntry('added', next)))
      return [...this.#manifests, added]
    })
  }

  /** Commits a snapshot that adds files of position deletes. */
  async deleteRows(files: readonly WrittenFile[]): Promise<void> {
    await this.#commit('overwrite', async (next) => {
      const added = await this.#writeManifest('deletes', next, files.map(toEntry('added', next)))
      return [...this.#manifests, added]
    })
  }

  /**
   * Commits a snapshot in which some data files have become one: what compaction does. Manifests that list them as live
   * are written anew; the old snapshots keep the old ones.
   */
  async replace(old: readonly WrittenFile[], compacted: WrittenFile): Promise<void> {
    const replaced = new Set(old)
    await this.#commit('replace', async (next) => {
      const manifests = [await this.#writeManifest('data', next, [toEntry('added', next)(compacted)])]
      for (const manifest of this.#manifests) {
        const isTouched = manifest.entries.some(({ file }) => replaced.has(file))
        if (!isTouched) {
          manifests.push(manifest)
          continue
        }
        const entries = manifest.entries.map((entry): WrittenEntry => {
          return replaced.has(entry.file)
            ? { ...entry, status: 'deleted', snapshotId: next.snapshotId }
            : { ...entry, status: 'existing' }
        })
        manifests.push(await this.#writeManifest('data', next, entries))
      }
      return manifests
    })
  }

  /** Gives the current snapshot a statistics file. */
  async setStatistics(
    make: (snapshotId: bigint, sequenceNumber: number) => { bytes: Buffer; footerLength: number },
  ): Promise<void> {
    const snapshotId = this.#parent!
    const { bytes, footerLength } = make(snapshotId, this.#sequenceNumber)
    const name = `metadata/${randomUUID()}.stats`
    await this.#write(name, bytes)
    this.written.statistics++
    await this.#update([
      {
        action: 'set-statistics',
        'snapshot-id': snapshotId,
        statistics: {
          'snapshot-id': snapshotId,
          'statistics-path': `${this.location}/${name}`,
          'file-size-in-bytes': bytes.length,
          'file-footer-size-in-bytes': footerLength,
          'blob-metadata': [],
        },
      },
    ])
  }

  async #commit(operation: string, manifestsOf: (next: Next) => Promise<Manifest[]>): Promise<void> {
    const next = {
      snapshotId: randomBytes(8).readBigUInt64BE() >> 1n,
      sequenceNumber: this.#sequenceNumber + 1,
    }
    const manifests = await manifestsOf(next)
    const list = `metadata/snap-${next.snapshotId}-1-${randomUUID()}.avro`
    await this.#write(list, writeManifestList({ formatVersion: 2, manifests }))
    this.written.manifestLists++
    const snapshot = {
      'snapshot-id': next.snapshotId,
      'parent-snapshot-id': this.#parent,
      'sequence-number': next.sequenceNumber,
      'timestamp-ms': Date.now(),
      'manifest-list': `${this.location}/${list}`,
      summary: { operation },
      'schema-id': 0,
    }
    await this.#update([
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': next.snapshotId },
    ])
    this.#manifests = manifests
    this.#parent = next.snapshotId
    this.#sequenceNumber = next.sequenceNumber
  }

  async #writeManifest(
    content: 'data' | 'deletes',
    next: Next,
    entries: readonly WrittenEntry[],
  ): Promise<Manifest> {
    const name = `metadata/${randomUUID()}-m0.avro`
    const partition = this.#isPartitioned ? [partitionColumn] : []
    const bytes = writeManifest({ formatVersion: 2, entries, partition })
    await this.#write(name, bytes)
    this.written.manifests++
    const count = (status: WrittenEntry['status']) =>
      entries.filter((entry) => entry.status === status).length
    return {
      path: `${this.location}/${name}`,
      length: bytes.length,
      content,
      added: count('added'),
      existing: count('existing'),
      deleted: count('deleted'),
      entries,
      ...next,
    }
  }

  async #update(updates: readonly unknown[]): Promise<void> {
    const requirement = { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': this.#parent ?? null }
    await this.#client.request('POST', this.#route, { body: { requirements: [requirement], updates } })
  }

  /** Returns the absolute path. */
  async #write(name: string, bytes: Buffer): Promise<string> {
    const path = join(this.folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, bytes)
    return path
  }
}
