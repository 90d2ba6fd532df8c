/**
 * Files erased per second and per CPU second of the client: Moulin, Iceberg Java and a bare loop, interleaved, on a
 * stand-in that answers at once or after a delay, or on versitygw, which shares the cores with its client. After each
 * run the objects that are left are counted. Iceberg Java needs Java 17 and Maven, versitygw needs Go.
 */
import { parseArgs } from 'node:util'
import { choices, wholeNumber } from '../parts/arguments.ts'
import { machine, markdown, record } from '../parts/results.ts'
import type { Measured } from './measured.ts'
import { startStandIn, startVersityGateway } from './stores.ts'
import { icebergJava, loop, moulin, type Subject } from './subjects.ts'
import { type Store, writeBenchTable } from './table.ts'

interface Run extends Measured {
  /** Objects that are there afterwards. */
  readonly left: number
}

/** The stores: `delayed` is the stand-in with `--delay` milliseconds added to each request. */
const stores = ['stand-in', 'delayed', 'versitygw'] as const
type StoreKind = (typeof stores)[number]

export const description =
  'files erased per second and CPU second, beside Iceberg Java and a bare loop of DeleteObjects'

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      store: { type: 'string', default: 'all' },
      files: { type: 'string', default: '500000' },
      rounds: { type: 'string', default: '5' },
      // Before those that count: both compilers, Java's and V8's, take some.
      'warm-up': { type: 'string', default: '3' },
      delay: { type: 'string', default: '20' },
      record: { type: 'boolean', default: false },
    },
  })
  const size = {
    files: wholeNumber('files', values.files),
    rounds: wholeNumber('rounds', values.rounds),
    warmUp: values['warm-up'] === 'none' ? 0 : wholeNumber('warm-up', values['warm-up']),
  }
  const delay = wholeNumber('delay', values.delay)
  for (const kind of choices('store', values.store, stores)) await compare(kind, delay, size, values.record)
}

interface Size {
  readonly files: number
  readonly rounds: number
  readonly warmUp: number
}

async function compare(kind: StoreKind, delay: number, size: Size, recorded: boolean): Promise<void> {
  const { files, rounds, warmUp } = size
  const where = kind === 'delayed' ? `the stand-in with ${delay} ms added to each request` : kind
  const setting =
    `\`npm run bench -- erase\`: ${files} files in a table, on ${where}; medians of ${rounds} interleaved rounds after ` +
    `${warmUp} to warm up; ${machine()}`
  console.log(`\n${setting}\n`)
  const store = await start(kind, delay)
  const subjects: Subject[] = []
  try {
    subjects.push(await moulin(), await icebergJava(250), await icebergJava(1_000), await loop())
    const results = new Map(subjects.map((subject) => [subject, [] as Run[]]))
    for (let round = -warmUp; round < rounds; round++) {
      for (const subject of subjects) {
        const measured = await measureOne(subject, store, `t${round}-${subjects.indexOf(subject)}`, files)
        if (round >= 0) results.get(subject)!.push(measured)
      }
    }
    const printed = table(results, files)
    console.log(printed)
    if (recorded) record(`erase: files erased on ${where}`, setting, printed)
  } finally {
    for (const subject of subjects) subject.close()
    await store.close()
  }
}

async function start(kind: StoreKind, delay: number): Promise<Store> {
  if (kind === 'versitygw') return await startVersityGateway()
  return await startStandIn(kind === 'delayed' ? delay : 0)
}

/** A number with data files left is no number. What else is left is said. */
async function measureOne(subject: Subject, store: Store, name: string, files: number): Promise<Run> {
  const table = await writeBenchTable(store, name, files, subject.dataOnly)
  const measured = await subject.erase(store.endpoint, table)
  const left = await store.clear()
  const data = left.filter((key) => key.includes('/data/'))
  if (data.length > 0)
    throw new Error(`${subject.name} has left ${data.length} data files, among them ${data[0]}`)
  return { ...measured, left: left.length }
}

function table(results: ReadonlyMap<Subject, readonly Run[]>, files: number): string {
  const rates = Array.from(results, ([{ name }, runs]) => ({
    name,
    cpu: median(runs.map(({ cpu }) => files / cpu)),
    wall: median(runs.map(({ wall }) => files / wall)),
    left: median(runs.map((each) => each.left)),
  }))
  const [ours] = rates
  return markdown(
    [
      '',
      '#files per CPU second of the client',
      '#files per second',
      '#CPU: Moulin is',
      '#time: Moulin is',
      '#files left',
    ],
    rates.map(({ name, cpu, wall, left }) => [
      name,
      rounded(cpu),
      rounded(wall),
      `${(ours!.cpu / cpu).toFixed(2)}×`,
      `${(ours!.wall / wall).toFixed(2)}×`,
      `${left}`,
    ]),
  )
}

function rounded(rate: number): string {
  return (Math.round(rate / 100) * 100).toLocaleString('en')
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
