import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { localPath } from '../../storage/location.ts'
import {
  type Entry,
  type ListedFile,
  type ListedManifest,
  manifestFile,
  manifestListFile,
} from './manifests.ts'
import { schema } from './parquet.ts'
import type { RestClient } from './rest.ts'

const partitionFields = [{ name: 'region', transform: 'identity', 'source-id': 2, 'field-id': 1000 }]

/** The snapshot that is being made. */
interface Next {
  readonly snapshotId: bigint
  readonly sequenceNumber: number
}

const toEntry =
  (status: Entry['status'], next: Next) =>
  (file: ListedFile): Entry => ({ status, file, ...next })

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
  readonly #specFields: readonly unknown[]
  readonly #route: string
  #manifests: readonly ListedManifest[] = []
  #parent: bigint | undefined
  #sequenceNumber = 0

  static async create(
    client: RestClient,
    namespace: string,
    name: string,
    { partitioned, location }: CreateOptions,
  ): Promise<DemoTable> {
    const specFields = partitioned ? partitionFields : []
    const route = `/namespaces/${namespace}/tables`
    const { body } = await client.request('POST', route, {
      body: {
        name,
        location,
        schema,
        'partition-spec': { 'spec-id': 0, fields: specFields },
        properties: { 'format-version': '2' },
      },
    })
    const metadata = body.metadata as { location: string }
    return new DemoTable(client, name, `${route}/${name}`, metadata.location, specFields)
  }

  private constructor(
    client: RestClient,
    name: string,
    route: string,
    location: string,
    specFields: readonly unknown[],
  ) {
    this.#client = client
    this.name = name
    this.#route = route
    this.location = location
    this.#specFields = specFields
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
    content: ListedFile['content'],
    region: string,
    rows: number,
    bytes: Buffer,
  ): Promise<ListedFile> {
    const isPartitioned = this.#specFields.length > 0
    const folder = isPartitioned ? `data/region=${region}` : 'data'
    const suffix = content === 'data' ? '' : '-deletes'
    const name = `${folder}/${String(this.written.data.size).padStart(5, '0')}-${randomUUID()}${suffix}.parquet`
    this.written.data.add(await this.#write(name, bytes))
    const path = `${this.location}/${name}`
    return { content, path, region: isPartitioned ? region : undefined, rows, bytes: bytes.length }
  }

  /** Commits a snapshot that adds data files. */
  async append(files: readonly ListedFile[]): Promise<void> {
    await this.#commit('append', async (next) => {
      const added = await this.#writeManifest('data', next, files.map(toEntry('added', next)))
      return [...this.#manifests, added]
    })
  }

  /** Commits a snapshot that adds files of position deletes. */
  async deleteRows(files: readonly ListedFile[]): Promise<void> {
    await this.#commit('overwrite', async (next) => {
      const added = await this.#writeManifest('deletes', next, files.map(toEntry('added', next)))
      return [...this.#manifests, added]
    })
  }

  /**
   * Commits a snapshot in which some data files have become one: what compaction does. Manifests that list them as live
   * are written anew; the old snapshots keep the old ones.
   */
  async replace(old: readonly ListedFile[], compacted: ListedFile): Promise<void> {
    const replaced = new Set(old)
    await this.#commit('replace', async (next) => {
      const manifests = [await this.#writeManifest('data', next, [toEntry('added', next)(compacted)])]
      for (const manifest of this.#manifests) {
        const isTouched = manifest.entries.some(({ file }) => replaced.has(file))
        if (!isTouched) {
          manifests.push(manifest)
          continue
        }
        const entries = manifest.entries.map((entry): Entry => {
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

  async #commit(operation: string, manifestsOf: (next: Next) => Promise<ListedManifest[]>): Promise<void> {
    const next = {
      snapshotId: randomBytes(8).readBigUInt64BE() >> 1n,
      sequenceNumber: this.#sequenceNumber + 1,
    }
    const manifests = await manifestsOf(next)
    const list = `metadata/snap-${next.snapshotId}-1-${randomUUID()}.avro`
    await this.#write(list, manifestListFile(manifests, next.snapshotId, next.sequenceNumber))
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
    content: ListedManifest['content'],
    next: Next,
    entries: readonly Entry[],
  ): Promise<ListedManifest> {
    const name = `metadata/${randomUUID()}-m0.avro`
    const bytes = manifestFile(entries, content, schema, this.#specFields)
    await this.#write(name, bytes)
    this.written.manifests++
    return { path: `${this.location}/${name}`, length: bytes.length, content, entries, ...next }
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
