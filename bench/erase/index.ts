/** Files erased per second and per CPU second of the client, beside a bare loop of DeleteObjects. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import type { Measured } from './measured.ts'
import { type Store, writeBenchTable } from './table.ts'

export const description = 'files erased per second and CPU second, beside a bare loop of DeleteObjects'

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      files: { type: 'string', default: '200000' },
      rounds: { type: 'string', default: '5' },
      delay: { type: 'string', default: '0' },
    },
  })
  const files = wholeNumber('files', values.files)
  const rounds = wholeNumber('rounds', values.rounds)
  const stand = fork(new URL('./stand-in.ts', import.meta.url), [values.delay])
  const [port] = (await once(stand, 'message')) as [number]
  const store = standIn(`http://127.0.0.1:${port}`)
  const moulin = await client('./moulin.ts')
  const loop = await client('./loop.ts')
  try {
    console.log(`${files} files, medians of ${rounds} rounds, ${values.delay} ms added to each request\n`)
    const results = { moulin: [] as Measured[], loop: [] as Measured[] }
    for (let round = -1; round < rounds; round++) {
      const table = await writeBenchTable(store, `moulin${round}`, files)
      const purged = await ask(moulin, { endpoint: store.endpoint, purge: table.purge })
      await requireNothing(store)
      const keys = table.files.data.map((path) => path.replace('s3://lake/', ''))
      await store.seed(keys.map((key) => `lake/${key}`))
      const looped = await ask(loop, { endpoint: store.endpoint, keys })
      await requireNothing(store)
      // The first round warms up.
      if (round === -1) continue
      results.moulin.push(purged)
      results.loop.push(looped)
    }
    for (const [name, runs] of Object.entries(results)) {
      const cpu = median(runs.map((each) => files / each.cpu))
      const wall = median(runs.map((each) => files / each.wall))
      console.log(
        `${name.padEnd(8)} ${Math.round(cpu).toLocaleString('en')} files per CPU second, ${Math.round(wall).toLocaleString('en')} per second`,
      )
    }
  } finally {
    for (const child of [stand, moulin, loop]) child.disconnect()
    stand.kill()
  }
}

function standIn(endpoint: string): Store {
  return {
    endpoint,
    seed: async (keys) => {
      await fetch(endpoint, { method: 'POST', body: keys.join('\n') })
    },
    count: async () => Number(await (await fetch(endpoint)).text()),
  }
}

/** A number with files left is no number. */
async function requireNothing(store: Store): Promise<void> {
  const left = await store.count()
  if (left > 0) throw new Error(`${left} objects are left`)
}

async function client(file: string): Promise<ChildProcess> {
  const child = fork(new URL(file, import.meta.url))
  await once(child, 'message')
  return child
}

async function ask(child: ChildProcess, task: object): Promise<Measured> {
  child.send(task)
  const [answer] = (await once(child, 'message')) as [Measured | { error: string }]
  if ('error' in answer) throw new Error(answer.error)
  return answer
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new Error(`--${name} must be a whole number, but is ${JSON.stringify(text)}`)
  return Number(text)
}
