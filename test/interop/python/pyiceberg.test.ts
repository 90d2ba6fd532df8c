import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { StorageOptions } from '../../../src/storage/options.ts'
import { startFauxqs, type TestStore } from '../../../src/testing/stores/fauxqs.ts'
import { startSeaweedFS } from '../../../src/testing/stores/seaweedfs.ts'
import { serveMoulin } from '../serve.ts'
import { toolchain } from '../toolchain.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')

describe.skipIf(python === undefined)('PyIceberg', () => {
  it('works and purges on local files', async () => {
    await using moulin = await serveMoulin((folder) => ({
      warehouses: { main: { location: join(folder, 'warehouse') } },
    }))
    await pytest({
      MOULIN_TEST_URI: moulin.url,
      MOULIN_TEST_LOCATION: `file://${join(moulin.folder, 'warehouse')}`,
    })
  })

  it('works and purges on S3 (fauxqs)', async () => {
    await onS3(await startFauxqs())
  })

  it('works and purges on S3 (SeaweedFS)', async () => {
    await onS3(await startSeaweedFS(python!))
  })
})

async function onS3(store: TestStore): Promise<void> {
  try {
    await store.createBucket('lake')
    const location = 's3://lake/warehouse'
    const storage: StorageOptions = store.storage
    await using moulin = await serveMoulin(() => ({ warehouses: { main: { location, storage } } }))
    await pytest({
      MOULIN_TEST_URI: moulin.url,
      MOULIN_TEST_LOCATION: location,
      MOULIN_TEST_S3_ENDPOINT: store.storage.endpoint,
      MOULIN_TEST_S3_ACCESS_KEY: store.storage.accessKeyId!,
      MOULIN_TEST_S3_SECRET_KEY: store.storage.secretAccessKey!,
    })
  } finally {
    await store.close()
  }
}

async function pytest(environment: Readonly<Record<string, string>>): Promise<void> {
  const run = spawn(
    join(python!, 'python'),
    ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', import.meta.dirname],
    {
      env: { ...process.env, ...environment, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let printed = ''
  for (const stream of [run.stdout, run.stderr]) stream.on('data', (chunk) => (printed += String(chunk)))
  const [status] = await once(run, 'exit')
  expect(status, printed.slice(-6_000)).toBe(0)
}
