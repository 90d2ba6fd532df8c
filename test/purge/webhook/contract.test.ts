import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import {
  type IcebergPurger,
  type Purge,
  type PurgeResult,
  type PurgeRun,
  RetryablePurgeError,
} from '../../../src/purge/purger.ts'
import { webhookOptions } from '../../../src/purge/purgers/webhook/options.ts'
import { WebhookPurger } from '../../../src/purge/purgers/webhook/webhook-purger.ts'
import type { FileIO } from '../../../src/storage/file-io.ts'
import { LocalFileIO } from '../../../src/storage/local/local-file-io.ts'
import { S3FileIO } from '../../../src/storage/s3/s3-file-io.ts'
import { dialects } from '../../../src/testing/databases.ts'
import { purgerContract } from '../../../src/testing/purger-contract.ts'
import { startFauxqs, type TestStore } from '../../../src/testing/stores/fauxqs.ts'
import { ledgerRuns } from '../contract-runs.ts'
import { secret, WebhookService } from './service.ts'

/** A purger that hands off, and waits for what comes of it, as the engine does over several attempts. */
function waitingFor(purger: WebhookPurger, service: WebhookService): IcebergPurger {
  const handOver = async (purge: Purge, run: PurgeRun, attempts: number): Promise<PurgeResult> => {
    const result = await purger.purge(purge, run)
    if (result.kind === 'done') return result
    await service.idle()
    const inspection = await purger.inspect(purge, result.reference, run)
    switch (inspection.state) {
      case 'running':
        throw new Error('The service is idle, and says that it is at work.')
      case 'finished':
        return { kind: 'done', mayBeSwept: inspection.mayBeSwept ?? false }
      case 'failed':
        // What it was told before it was cut off has failed for good; told again, it begins anew.
        if (attempts > 1) return await handOver(purge, run, attempts - 1)
        throw new RetryablePurgeError(inspection.message)
    }
  }
  return {
    name: purger.name,
    waits: true,
    purge: async (purge, run) => {
      service.io = run.io
      // What waits is begun again, not asked: there is nothing to refer to.
      const begin = async () => await run.begin()
      return await handOver(purge, Object.assign(Object.create(run) as PurgeRun, { begin }), 2)
    },
  }
}

async function start(io: FileIO): Promise<{ purger: WebhookPurger; service: WebhookService }> {
  const service = await WebhookService.start(io)
  return { service, purger: new WebhookPurger(webhookOptions({ url: service.url, secrets: [secret] })) }
}

describe('webhook on local files, where the service meets the faults, too', () => {
  purgerContract({ describe, it }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-webhook-'))
    const io = new LocalFileIO([folder])
    const { purger, service } = await start(io)
    return {
      purger: waitingFor(purger, service),
      io,
      root: `file://${folder}/root`,
      close: async () => {
        await service[Symbol.asyncDispose]()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  })
})

describe.each(dialects)('webhook on S3, handed off and inspected, with its ledger on %s', (dialect) => {
  let store: TestStore
  beforeAll(async () => {
    store = await startFauxqs()
    await store.createBucket('bucket')
  })
  afterAll(() => store.close())

  purgerContract({ describe, it }, async () => {
    const io = new S3FileIO(store.storage)
    const { purger, service } = await start(io)
    const runs = await ledgerRuns(dialect)
    return {
      purger,
      io,
      root: `s3://bucket/${randomUUID()}`,
      work: () => service.idle(),
      runs,
      close: async () => {
        await runs.close()
        await service[Symbol.asyncDispose]()
        await io.close()
      },
    }
  })
})
