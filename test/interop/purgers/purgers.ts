import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startFauxqs } from '../../../src/testing/stores/fauxqs.ts'
import { startSeaweedFS } from '../../../src/testing/stores/seaweedfs.ts'
import { Cluster } from '../../kafka/cluster.ts'
import { startPythonConsumer } from '../../kafka/python-consumer.ts'
import { WorkerProcess } from '../../kafka/worker-process.ts'
import { install, pack } from '../../package/packed.ts'
import { Example } from '../../purge/webhook/example.ts'
import { secret } from '../../purge/webhook/service.ts'
import { s3Lake } from '../lake.ts'
import { expireTagged } from '../python/s3-batch/lifecycle.ts'
import { S3Control } from '../python/s3-batch/s3-control.ts'
import { ServiceModel } from '../python/s3-batch/service-model.ts'
import { optionsFor } from '../python/s3-batch/setting.ts'
import type { Setting } from './setting.ts'

const root = join(import.meta.dirname, '../../..')

/** What `scripts/test.ts` has installed. */
export interface Tools {
  /** Programs of the Python tests' virtual environment, SeaweedFS among them. */
  readonly python: string
  /** Folder of a broker's jars. */
  readonly kafka: string
  /** A Python for the example of a Kafka consumer. */
  readonly kafkaPython: string
}

interface TestedPurger {
  /** As certificates name it. `endings.py` says what it does to files; those that it does not name erase them. */
  readonly name: string
  /** Who erases the data files. */
  readonly engine: string
  /** Starts the server, and what the purger needs beside it. */
  start(setting: Setting, tools: Tools): Promise<unknown>
}

/** Every purger that there is. A new one needs an entry here, and passes when its results are equal. */
export const purgers: readonly TestedPurger[] = [
  {
    name: 'synchronous',
    engine: 'the request',
    start: (setting) => setting.serve({ purger: 'synchronous' }),
  },
  {
    name: 'sql-async',
    engine: "the server's workers",
    start: (setting) => setting.serve({ purger: 'sql-async' }),
  },
  {
    name: 'audit-only',
    engine: 'none',
    start: async (setting) => {
      const planLocation = join(setting.folder, 'plans')
      await setting.serve({ purger: 'audit-only', options: { planLocation } })
    },
  },
  {
    name: 'webhook',
    engine: 'examples/webhook-service',
    start: async (setting) => {
      const { url } = setting.parts.use(await Example.start(setting.folder))
      const options = { url, secrets: [secret], publicUrl: setting.url }
      await setting.serve({ purger: 'webhook', options })
    },
  },
  {
    name: 'kafka',
    engine: 'moulin worker --kafka',
    start: async (setting, tools) => {
      const options = await topics(setting, tools)
      const configuration = await setting.serve({ purger: 'kafka', options })
      const worker = await WorkerProcess.start(configuration)
      setting.parts.defer(async () => void (await worker.stop()))
    },
  },
  {
    name: 'kafka',
    engine: 'examples/kafka-consumer-python',
    start: async (setting, tools) => {
      const options = await topics(setting, tools)
      await setting.serve({ purger: 'kafka', options })
      setting.parts.use(startPythonConsumer(tools.kafkaPython, options))
    },
  },
  {
    name: 's3-batch',
    engine: 'examples/s3-batch-lambda, a stand-in for the service',
    start: async (setting, { python }) => await serveS3Batch(setting, python, { strategy: 'lambda' }),
  },
  {
    name: 's3-batch',
    engine: "tags and the bucket's lifecycle, stand-ins for the service and for its daily run",
    start: async (setting, { python }) =>
      await serveS3Batch(setting, python, { strategy: 'tag', lifecycleInterval: '1s' }),
  },
  {
    name: 'move-to-trash',
    engine: 'examples/purger-move-to-trash, installed',
    start: async (setting) => {
      const packages = join(setting.folder, 'packages')
      mkdirSync(packages)
      writeFileSync(join(packages, 'package.json'), '{"private": true}')
      install(packages, pack(packages), pack(packages, join(root, 'examples/purger-move-to-trash')))
      const store = await startFauxqs()
      setting.parts.defer(() => store.close())
      const options = { trash: 's3://lake/trash' }
      setting.tell({ MOULIN_TEST_TRASH: options.trash })
      await setting.serve(
        { purger: 'moulin-purger-move-to-trash', options },
        { lake: await s3Lake(store), main: join(packages, 'node_modules/moulin/dist/cli/main.js') },
      )
    },
  },
]

/** A broker of the setting; gives options of the purger for it. */
async function topics({ parts }: Setting, tools: Tools): Promise<Readonly<Record<string, unknown>>> {
  const cluster = await Cluster.start(tools.kafka)
  parts.defer(() => cluster.close())
  return cluster.options()
}

/** SeaweedFS, S3 Control, and a server between them. */
async function serveS3Batch(
  setting: Setting,
  python: string,
  more: Readonly<Record<string, unknown>>,
): Promise<void> {
  const store = await startSeaweedFS(python)
  setting.parts.defer(() => store.close())
  await store.createBucket('manifests')
  const control = await S3Control.start(store.client, new ServiceModel(python))
  setting.parts.defer(() => control.close())
  const lake = await s3Lake(store)
  keepWorking(setting, async () => {
    await control.work()
    await expireTagged(store.client, 'lake')
  })
  const options = optionsFor(store, control, { ...more, jobInterval: '1s' })
  await setting.serve({ purger: 's3-batch', options }, { lake })
}

/** Has this done again and again. */
function keepWorking({ parts }: Setting, work: () => Promise<void>): void {
  let isOver = false
  const working = (async () => {
    for (; !isOver; await sleep(100)) await work()
  })()
  parts.defer(async () => {
    isOver = true
    await working
  })
}
