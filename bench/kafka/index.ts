/**
 * Files erased per second by one, two and three processes of `moulin worker --kafka`: from the publishing of the tasks to the
 * last receipt, on the stand-in that answers at once or after a delay. Broker, store, server and workers share the machine's
 * cores: without a delay these are the limit, with one it is what a worker keeps in flight. Needs Java and Maven.
 */
import { parseArgs } from 'node:util'
import { kafka } from '../../scripts/toolchains/kafka.ts'
import { KafkaBroker } from '../../src/testing/stores/kafka.ts'
import { WorkerProcess } from '../../test/kafka/worker-process.ts'
import { cpuSeconds } from '../catalog/subjects.ts'
import { startStandIn } from '../erase/stores.ts'
import { type Store, writeBenchTable } from '../erase/table.ts'
import { wholeNumber } from '../parts/arguments.ts'
import { machine, markdown, record } from '../parts/results.ts'
import { BenchServer } from './server.ts'

/** Batches that a worker has in flight. */
const deleteConcurrency = 2
/** Files of the table that warms a worker up. */
const warmUp = 60_000
const counts = [1, 2, 3]

interface Run {
  /** Seconds. */
  readonly wall: number
  /** Seconds of CPU of all workers. */
  readonly cpu: number
}

export const description = 'files erased per second by one, two and three workers of the purger kafka'

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      files: { type: 'string', default: '400000' },
      rounds: { type: 'string', default: '3' },
      delay: { type: 'string', default: 'none' },
      record: { type: 'boolean', default: false },
    },
  })
  const files = wholeNumber('files', values.files)
  const rounds = wholeNumber('rounds', values.rounds)
  const delay = values.delay === 'none' ? 0 : wholeNumber('delay', values.delay)
  const toolchain = kafka()
  if (toolchain.kind === 'missing') throw new Error(`Not without a broker: ${toolchain.reason}`)
  const setting = `\`npm run bench -- kafka\`: ${files} files in a table, on the stand-in${delay > 0 ? ` with ${delay} ms added to each request` : ''}, ${deleteConcurrency} batches of 1,000 in flight per worker, tasks of 20,000; medians of ${rounds} interleaved rounds, each after ${warmUp} files to warm up; ${machine()}`
  console.log(`${setting}\n`)
  const store = await startStandIn(delay)
  const broker = await KafkaBroker.start(toolchain.environment.MOULIN_TEST_KAFKA!)
  try {
    const results = new Map(counts.map((count) => [count, [] as Run[]]))
    for (let round = 0; round < rounds; round++) {
      for (const count of counts)
        results.get(count)!.push(await measure(store, broker, { round, count, files }))
    }
    const printed = table(results, files)
    console.log(printed)
    if (values.record)
      record(`kafka: one, two and three workers${delay > 0 ? ` + ${delay} ms` : ''}`, setting, printed)
  } finally {
    await broker.close()
    await store.close()
  }
}

async function measure(
  store: Store,
  broker: KafkaBroker,
  { round, count, files }: { readonly round: number; readonly count: number; readonly files: number },
): Promise<Run> {
  const name = `${round}-${count}`
  const options = {
    brokers: [broker.address],
    topics: { tasks: `tasks-${name}`, results: `receipts-${name}` },
    createTopics: { partitions: 12, replication: 1 },
    taskEntries: 20_000,
  }
  const server = await BenchServer.start(store.endpoint, options)
  const { endpoint } = store
  const storage = {
    type: 's3',
    endpoint,
    pathStyleAccess: true,
    accessKeyId: 'test',
    secretAccessKey: 'test',
  }
  const configuration = {
    database: { url: server.databaseUrl },
    warehouses: { main: { location: 's3://lake', storage } },
    purge: { purger: 'kafka', options, deleteConcurrency },
    logging: { level: 'silent' },
  }
  const workers: WorkerProcess[] = []
  try {
    for (let worker = 0; worker < count; worker++) workers.push(await WorkerProcess.start(configuration))
    const small = await writeBenchTable(store, `warm-up-${name}`, warmUp, false)
    await server.erase(small.purge)
    const large = await writeBenchTable(store, `t-${name}`, files, false)
    const cpu = () => workers.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
    const before = cpu()
    const wall = await server.erase(large.purge)
    const used = cpu() - before
    const left = await store.clear()
    if (left.length > 0) throw new Error(`${left.length} files are left, among them ${left[0]}`)
    return { wall, cpu: used }
  } finally {
    for (const worker of workers) await worker.stop()
    await server.close()
  }
}

function table(results: ReadonlyMap<number, readonly Run[]>, files: number): string {
  const rates = Array.from(results, ([count, runs]) => ({
    count,
    wall: median(runs.map(({ wall }) => files / wall)),
    cpu: median(runs.map(({ cpu }) => files / cpu)),
  }))
  const [one] = rates
  return markdown(
    ['#workers', '#files per second', '#times one worker', '#files per CPU second of the workers'],
    rates.map(({ count, wall, cpu }) => [
      `${count}`,
      rounded(wall),
      `${(wall / one!.wall).toFixed(2)}×`,
      rounded(cpu),
    ]),
  )
}

function rounded(rate: number): string {
  return (Math.round(rate / 100) * 100).toLocaleString('en')
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
