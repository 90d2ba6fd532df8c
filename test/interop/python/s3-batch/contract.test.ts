import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { s3BatchOptions } from '../../../../src/purge/purgers/s3-batch/options.ts'
import { S3BatchPurger } from '../../../../src/purge/purgers/s3-batch/s3-batch-purger.ts'
import { S3FileIO } from '../../../../src/storage/s3/s3-file-io.ts'
import { dialects } from '../../../../src/testing/databases.ts'
import { purgerContract } from '../../../../src/testing/purger-contract.ts'
import { type SeaweedFS, startSeaweedFS } from '../../../../src/testing/stores/seaweedfs.ts'
import { ledgerRuns } from '../../../purge/contract-runs.ts'
import { toolchain } from '../../toolchain.ts'
import { expireTagged } from './lifecycle.ts'
import { S3Control } from './s3-control.ts'
import { ServiceModel } from './service-model.ts'
import { optionsFor } from './setting.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')

const subjects = ['tag', 'lambda'].flatMap((strategy) => dialects.map((dialect) => ({ strategy, dialect })))

describe.skipIf(python === undefined).each(subjects)(
  's3-batch by $strategy, with its ledger on $dialect',
  ({ strategy, dialect }) => {
    let store: SeaweedFS
    let control: S3Control
    beforeAll(async () => {
      store = await startSeaweedFS(python!)
      await store.createBucket('manifests')
      await store.createBucket('bucket')
      control = await S3Control.start(store.client, new ServiceModel(python!))
    })
    afterAll(async () => {
      await control?.close()
      await store?.close()
    })

    purgerContract({ describe, it }, async () => {
      const io = new S3FileIO(store.storage)
      const folder = randomUUID()
      const runs = await ledgerRuns(dialect)
      const purger = new S3BatchPurger(s3BatchOptions(optionsFor(store, control, { strategy })))
      return {
        purger,
        io,
        root: `s3://bucket/${folder}`,
        work: async () => {
          await control.work()
          if (strategy === 'tag') await expireTagged(store.client, 'bucket', `${folder}/`)
        },
        runs,
        close: async () => {
          await purger.close()
          await runs.close()
          await io.close()
        },
      }
    })
  },
)
