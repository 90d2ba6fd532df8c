import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startFauxqs } from '../../../src/testing/stores/fauxqs.ts'
import { type ServedMoulin, serveMoulin } from '../serve.ts'
import { toolchain } from '../toolchain.ts'

const python = toolchain('MOULIN_TEST_SPARK', 'spark')

describe.skipIf(python === undefined)('Spark', () => {
  it('works on local files, and its tables are purged to the last file', async () => {
    await using moulin = await serveMoulin((folder) => ({
      warehouses: { main: { location: join(folder, 'warehouse') } },
    }))
    await work(moulin, { MOULIN_TEST_LOCATION: `file://${join(moulin.folder, 'warehouse')}` })
  })

  it('works on S3, and its tables are purged to the last file', async () => {
    const store = await startFauxqs()
    try {
      await store.createBucket('lake')
      const location = 's3://lake/warehouse'
      await using moulin = await serveMoulin(() => ({
        warehouses: { main: { location, storage: store.storage } },
      }))
      await work(moulin, {
        MOULIN_TEST_LOCATION: location,
        MOULIN_TEST_S3_ENDPOINT: store.storage.endpoint,
        AWS_ACCESS_KEY_ID: store.storage.accessKeyId!,
        AWS_SECRET_ACCESS_KEY: store.storage.secretAccessKey!,
        AWS_REGION: store.storage.region,
      })
    } finally {
      await store.close()
    }
  })
})

async function work(moulin: ServedMoulin, environment: Readonly<Record<string, string>>): Promise<void> {
  const run = spawn(join(python!, 'python'), [join(import.meta.dirname, 'work.py')], {
    cwd: moulin.folder,
    env: { ...process.env, MOULIN_TEST_URI: moulin.url, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [run.stdout, run.stderr]) {
    stream.on('data', (chunk) => {
      printed += String(chunk)
    })
  }
  const [status] = await once(run, 'exit')
  console.log(
    printed
      .split('\n')
      .filter((line) => /^ok|^all done|Error/.test(line))
      .join('\n'),
  )
  expect(status, printed.slice(-6_000)).toBe(0)
}
