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

/** Rounds before those that count: both compilers, Java's and V8's, take some. */
const warmUpRounds = 3

export const description =
  'files erased per second and CPU second, beside Iceberg Java and a bare loop of DeleteObjects'

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      store: { type: 'string', default: 'stand-in' },
      files: { type: 'string', default: '300000' },
      rounds: { type: 'string', default: '5' },
      delay: { type: 'string', default: 'none' },
      record: { type: 'boolean', default: false },
    },
  })
  const files = wholeNumber('files', values.files)
  const rounds = wholeNumber('rounds', values.rounds)
  const delay = values.delay === 'none' ? 0 : wholeNumber('delay', values.delay)
  const [kind] = choices('store', values.store, ['stand-in', 'versitygw'])
  if (kind === 'versitygw' && delay > 0) throw new Error('--delay is for the stand-in')
  const setting =
    `\`npm run bench -- erase\`: ${files} files in a table, on ${kind}` +
    `${delay > 0 ? ` with ${delay} ms added to each request` : ''}; medians of ${rounds} interleaved rounds after ${warmUpRounds} to warm up; ${machine()}`
  console.log(`${setting}\n`)
  const store = kind === 'versitygw' ? await startVersityGateway() : await startStandIn(delay)
  const subjects: Subject[] = []
  try {
    subjects.push(await moulin(), await icebergJava(250), await icebergJava(1_000), await loop())
    const results = new Map(subjects.map((subject) => [subject, [] as Run[]]))
    for (let round = -warmUpRounds; round < rounds; round++) {
      for (const subject of subjects) {
        const measured = await measureOne(subject, store, `t${round}-${subjects.indexOf(subject)}`, files)
        if (round >= 0) results.get(subject)!.push(measured)
      }
    }
    const printed = table(results, files)
    console.log(printed)
    if (values.record)
      record(`erase: files erased on ${kind}${delay > 0 ? ` + ${delay} ms` : ''}`, setting, printed)
  } finally {
    for (const subject of subjects) subject.close()
    await store.close()
  }
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
