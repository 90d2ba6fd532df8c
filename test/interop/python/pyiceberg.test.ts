import { describe, it } from 'vitest'
import { startFauxqs, type TestStore } from '../../../src/testing/stores/fauxqs.ts'
import { startSeaweedFS } from '../../../src/testing/stores/seaweedfs.ts'
import { temporaryFolder } from '../../cli/cli.ts'
import { type Lake, localLake, s3Lake } from '../lake.ts'
import { serveMoulin } from '../serve.ts'
import { toolchain } from '../toolchain.ts'
import { pytest } from './pytest.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')

describe.skipIf(python === undefined)('PyIceberg', () => {
  it('works and purges on local files', async () => {
    using folder = temporaryFolder()
    await worksAndPurges(localLake(folder.path))
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
    await worksAndPurges(await s3Lake(store))
  } finally {
    await store.close()
  }
}

async function worksAndPurges({ warehouse, environment }: Lake): Promise<void> {
  await using moulin = await serveMoulin(() => ({ warehouses: { main: warehouse } }))
  await pytest(python!, { ...environment, MOULIN_TEST_URI: moulin.url })
}
