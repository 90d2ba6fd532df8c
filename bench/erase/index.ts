/**
 * Files erased per second and per CPU second of the client, on a stand-in that answers at once or after a delay: Moulin,
 * Iceberg Java and a bare loop, interleaved. After each run the objects that are left are counted.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import type { Measured } from './measured.ts'
import { icebergJava, loop, moulin, type Subject } from './subjects.ts'
import { type Store, writeBenchTable } from './table.ts'

interface Run extends Measured {
  /** Objects that are there afterwards. */
  readonly left: number
}

export const description =
  'files erased per second and CPU second, beside Iceberg Java and a bare loop of DeleteObjects'

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      files: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '5' },
      delay: { type: 'string', default: '0' },
    },
  })
  const files = wholeNumber('files', values.files)
  const rounds = wholeNumber('rounds', values.rounds)
  const stand = fork(new URL('./stand-in.ts', import.meta.url), [values.delay])
  const [port] = (await once(stand, 'message')) as [number]
  const store = standIn(`http://127.0.0.1:${port}`)
  const subjects = [await moulin(), await icebergJava(250), await icebergJava(1_000), await loop()]
  console.log(
    `${files} files in a table, ${values.delay} ms added to each request; medians of ${rounds} interleaved rounds; ` +
      `Node.js ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}\n`,
  )
  try {
    const results = new Map(subjects.map((subject) => [subject, [] as Run[]]))
    for (let round = -1; round < rounds; round++) {
      for (const subject of subjects) {
        const measured = await measureOne(subject, store, `t${round}-${subjects.indexOf(subject)}`, files)
        // The first round warms up.
        if (round >= 0) results.get(subject)!.push(measured)
      }
    }
    print(results, files)
  } finally {
    for (const subject of subjects) subject.close()
    stand.kill()
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

function print(results: ReadonlyMap<Subject, readonly Run[]>, files: number): void {
  console.log('| | files per CPU second | files per second | CPU: Moulin is | time: Moulin is | files left |')
  console.log('|---|---:|---:|---:|---:|---:|')
  const rates = Array.from(results, ([{ name }, runs]) => ({
    name,
    cpu: median(runs.map(({ cpu }) => files / cpu)),
    wall: median(runs.map(({ wall }) => files / wall)),
    left: median(runs.map((each) => each.left)),
  }))
  const [ours] = rates
  for (const { name, cpu, wall, left } of rates) {
    console.log(
      `| ${name} | ${rounded(cpu)} | ${rounded(wall)} | ${(ours!.cpu / cpu).toFixed(2)}× | ${(ours!.wall / wall).toFixed(2)}× | ${left} |`,
    )
  }
}

function standIn(endpoint: string): Store {
  return {
    endpoint,
    seed: async (keys) => {
      await fetch(endpoint, { method: 'POST', body: keys.join('\n') })
    },
    clear: async () => {
      const keys = await (await fetch(endpoint, { method: 'DELETE' })).text()
      return keys === '' ? [] : keys.split('\n')
    },
  }
}

function rounded(rate: number): string {
  return (Math.round(rate / 100) * 100).toLocaleString('en')
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function wholeNumber(name: string, text: string): number {
  if (!/^(0|[1-9]\d{0,8})$/.test(text)) {
    throw new Error(`--${name} must be a whole number, but is ${JSON.stringify(text)}`)
  }
  return Number(text)
}
