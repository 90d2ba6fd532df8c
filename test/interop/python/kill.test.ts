import { describe, it } from 'vitest'
import { S3FileIO } from '../../../src/storage/s3/s3-file-io.ts'
import { startSeaweedFS } from '../../../src/testing/stores/seaweedfs.ts'
import { killReplicas } from '../../chaos/kill-replicas.ts'
import { toolchain } from '../toolchain.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')
/** Kills of one run; more with MOULIN_KILLS. */
const kills = Number(process.env.MOULIN_KILLS ?? 4)
/** Data files of one table; 20,000 with MOULIN_KILL_FILES=20000. */
const files = Number(process.env.MOULIN_KILL_FILES ?? 4_000)

describe.skipIf(python === undefined)('kill -9 over a real S3 server (SeaweedFS)', () => {
  it.each([
    ['postgres', 2],
    ['sqlite', 1],
  ] as const)(
    'on %s, %i at work: everything erased, nothing else',
    async (dialect, replicas) => {
      const store = await startSeaweedFS(python!)
      const io = new S3FileIO(store.storage)
      try {
        await store.createBucket('lake')
        await killReplicas({
          dialect,
          replicas,
          kills,
          io,
          location: 's3://lake/main',
          storage: {
            type: 's3',
            endpoint: store.storage.endpoint,
            pathStyleAccess: true,
            accessKeyId: store.storage.accessKeyId,
            secretAccessKey: store.storage.secretAccessKey,
          },
          table: { snapshots: 4, filesPerSnapshot: files / 4 },
          pause: 3_000,
        })
      } finally {
        await io.close()
        await store.close()
      }
    },
    120_000 + kills * 60_000,
  )
})
