import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, it } from 'vitest'
import {
  type IcebergPurger,
  PermanentPurgeError,
  type PurgeMessage,
  type PurgeRun,
} from '../../src/purge/purger.ts'
import { kafkaPurger } from '../../src/purge/purgers/kafka/kafka-purger.ts'
import type { Receipt, ReceiptFailure, Task } from '../../src/purge/purgers/kafka/messages.ts'
import { readFiles } from '../../src/purge/reach.ts'
import type { FileIO } from '../../src/storage/file-io.ts'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { isWithin } from '../../src/storage/location.ts'
import { dialects } from '../../src/testing/databases.ts'
import { purgerContract } from '../../src/testing/purger-contract.ts'
import { toolchain } from '../interop/toolchain.ts'
import { ledgerRuns } from '../purge/contract-runs.ts'
import { Cluster } from './cluster.ts'

const jars = toolchain('MOULIN_TEST_KAFKA', 'kafka')

/** Does a task as a consumer without a ledger does: what lies outside of the table's locations is left to the server. */
async function work(
  io: FileIO,
  { version, purge, generation, task, locations, manifests }: Task,
): Promise<Receipt> {
  const counts = { deleted: 0, absent: 0, kept: 0, blocked: 0, failed: 0, left: 0 }
  const failures: ReceiptFailure[] = []
  let error: Receipt['error'] = null
  try {
    for (const { path, entries } of manifests) {
      const manifest = {
        path,
        length: undefined,
        content: 'data',
        entryCount: entries ?? undefined,
        encrypted: false,
      } as const
      for await (const files of readFiles(io, manifest, new AbortController().signal)) {
        const own = files
          .map((file) => file.path)
          .filter((file) => locations.some((place) => isWithin(file, place)))
        for (const [index, said] of (await io.deleteFiles(own)).entries()) {
          counts[said.outcome]++
          if ('code' in said) failures.push({ path: own[index]!, ...said })
        }
        counts.left += files.length - own.length
      }
    }
  } catch (cause) {
    error = { code: 'Error', message: String(cause), permanent: cause instanceof PermanentPurgeError }
  }
  return { version, purge, generation, task, consumer: 'contract', counts, bytes: 0, failures, error }
}

describe.skipIf(jars === undefined).each(dialects)('kafka on a broker, with its ledger on %s', (dialect) => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start(jars!)
  })
  afterAll(async () => {
    await cluster?.close()
  })

  purgerContract({ describe, it }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-kafka-contract-'))
    const io = new LocalFileIO([folder])
    const runs = await ledgerRuns(dialect)
    const options = cluster.options()
    const received = new Map<string, PurgeMessage[]>()
    const purger = kafkaPurger(options, {
      logger: pino({ level: 'silent' }),
      serverIdentity: 'test:1',
      warehouse: { name: 'main', location: `file://${folder}` },
      works: true,
      deliver: async (id, messages) => {
        received.set(id, [...(received.get(id) ?? []), ...messages])
        return true
      },
    })
    const answer = cluster.publisher(options, 'results')
    cluster.listen(options, 'tasks', async (task) => await answer(await work(io, task as Task)))
    const told = (id: string, run: PurgeRun): PurgeRun =>
      Object.create(run, { messages: { value: async () => received.get(id) ?? [] } }) as PurgeRun
    const listening: IcebergPurger = {
      name: purger.name,
      waits: purger.waits,
      purge: (purge, run) => purger.purge(purge, told(purge.id, run)),
      inspect: (purge, reference, run) => purger.inspect(purge, reference, told(purge.id, run)),
    }
    return {
      purger: listening,
      io,
      root: `file://${folder}/root`,
      work: async () => {
        await sleep(200)
      },
      runs,
      close: async () => {
        await purger.close()
        await runs.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  })
})
