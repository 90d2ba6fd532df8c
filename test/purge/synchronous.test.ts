import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { SqlAsyncPurger } from '../../src/purge/purgers/sql-async/sql-async-purger.ts'
import { SynchronousPurger } from '../../src/purge/purgers/synchronous/synchronous-purger.ts'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { dialects } from '../../src/testing/databases.ts'
import { purgerContract } from '../../src/testing/purger-contract.ts'
import { startFauxqs, type TestStore } from '../../src/testing/stores/fauxqs.ts'
import { ledgerRuns } from './contract-runs.ts'

const purgers = [new SynchronousPurger(), new SqlAsyncPurger()]
const subjects = purgers.flatMap((purger) => dialects.map((dialect) => ({ purger, dialect })))

describe.each(subjects)('$purger.name on local files, with its ledger on $dialect', ({ purger, dialect }) => {
  purgerContract({ describe, it }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-purge-'))
    const runs = await ledgerRuns(dialect)
    return {
      purger,
      io: new LocalFileIO([folder]),
      root: `file://${folder}/root`,
      runs,
      close: async () => {
        await runs.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  })
})

describe('synchronous on S3', () => {
  let store: TestStore
  beforeAll(async () => {
    store = await startFauxqs()
    await store.createBucket('bucket')
  })
  afterAll(() => store.close())

  purgerContract({ describe, it }, async () => {
    const io = new S3FileIO(store.storage)
    return {
      purger: new SynchronousPurger(),
      io,
      root: `s3://bucket/${randomUUID()}`,
      close: () => io.close(),
    }
  })
})
