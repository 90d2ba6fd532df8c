import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { FileIO } from '../../src/storage/file-io.ts'
import type { S3StorageOptions } from '../../src/storage/options.ts'
import { type TableOptions, type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'
import { type PurgeAnswer, Replica } from '../chaos/replica.ts'

export interface FaultyServerOptions {
  readonly databaseUrl: string
  /** Of the warehouse. */
  readonly location: string
  readonly storage: object
  /** Reaches the store past all faults. */
  readonly io: FileIO
  /** So that there is time for a fault. */
  readonly filesPerSecond?: number
  /** `all` also sweeps the locations, which are chosen by a user here. @default "current" */
  readonly versions?: 'current' | 'all'
}

/** A server of which a part is going to fail: the database, the store, or what lies between. */
export class FaultyServer {
  readonly replica: Replica
  readonly #options: FaultyServerOptions

  static async start(options: FaultyServerOptions): Promise<FaultyServer> {
    const replica = await Replica.start({
      server: { port: 0 },
      database: { url: options.databaseUrl },
      warehouses: { main: { location: options.location, storage: options.storage } },
      purge: {
        leaseTimeout: '20s',
        pollInterval: '200ms',
        backoffBase: '100ms',
        backoffMax: '500ms',
        maxAttempts: 100,
        ...(options.versions === 'all' && { sweep: 'all', versions: 'all' }),
        ...(options.filesPerSecond !== undefined && { filesPerSecond: options.filesPerSecond }),
      },
      logging: { level: 'silent' },
    })
    const server = new FaultyServer(replica, options)
    await replica.call('POST', '/namespaces', { namespace: ['ns'] })
    return server
  }

  private constructor(replica: Replica, options: FaultyServerOptions) {
    this.replica = replica
    this.#options = options
  }

  async table(name: string, options: TableOptions): Promise<WrittenTable> {
    const { io, location } = this.#options
    const table = await writeTable(io, `${location}/${name}`, options)
    const body = { name, 'metadata-location': table.purge.metadataLocation }
    const answer = await this.replica.call('POST', '/namespaces/ns/register', body)
    expect([answer.status, await answer.text()]).toMatchObject([200, expect.anything()])
    return table
  }

  /** The id of the purge, or the status of an answer that has none. */
  async drop(name: string): Promise<string | number> {
    const answer = await this.replica.call('DELETE', `/namespaces/ns/tables/${name}?purgeRequested=true`)
    await answer.arrayBuffer()
    return answer.status === 204
      ? /purges\/([0-9a-f-]+)/.exec(answer.headers.get('link')!)![1]!
      : answer.status
  }

  /** Waits until a purge looks so. A database or server that does not answer is asked again. */
  async until(id: string, condition: (purge: PurgeAnswer) => boolean): Promise<PurgeAnswer> {
    let last: unknown
    for (const deadline = performance.now() + 90_000; performance.now() < deadline; await sleep(50)) {
      try {
        const purge = await this.replica.purge(id)
        if (condition(purge)) return purge
        last = purge
      } catch (error) {
        last = error
      }
    }
    throw new Error(`Purge ${id} did not come so far: ${JSON.stringify(last)}`, { cause: last })
  }

  /** Everything that is left of the warehouse. */
  async files(): Promise<string[]> {
    const files: string[] = []
    for await (const file of this.#options.io.list(this.#options.location)) files.push(file.location)
    return files.toSorted()
  }

  async close(): Promise<void> {
    await this.replica.kill()
  }
}

/** More than so many data files are gone, and not all of them. */
export function hasBegun(purge: PurgeAnswer): boolean {
  return purge.state === 'running' && (purge.counts.data?.deleted ?? 0) > 0
}

export function succeeded({ state }: PurgeAnswer): boolean {
  return state === 'succeeded'
}

/** The keys of an S3 storage, as the configuration has them. */
export function s3Configuration(storage: S3StorageOptions, endpoint = storage.endpoint): object {
  const { accessKeyId, secretAccessKey } = storage
  return { type: 's3', endpoint, pathStyleAccess: true, accessKeyId, secretAccessKey }
}
