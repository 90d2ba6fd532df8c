/**
 * How many manifest entries one CPU second reads: Moulin's reader, avsc decoding every field, avsc projecting the
 * fields that a purge needs, inflating alone, which nobody can avoid, and PyIceberg, where there is Python.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { manifestOf } from './manifest.ts'
import { PyIcebergReader } from './pyiceberg.ts'
import { ownReaders } from './readers.ts'

export const description = 'entries of manifests per CPU second, beside avsc and PyIceberg'

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      entries: { type: 'string', default: '20000' },
      columns: { type: 'string', default: '20' },
      block: { type: 'string', default: '60' },
      rounds: { type: 'string', default: '15' },
    },
  })
  const entries = wholeNumber('entries', values.entries)
  const columns = wholeNumber('columns', values.columns)
  const block = wholeNumber('block', values.block)
  const rounds = wholeNumber('rounds', values.rounds)

  const file = manifestOf(entries, columns, block)
  console.log(
    `${entries} entries, ${columns} columns of statistics, blocks of ${block}, deflate, ${(file.length / 1e6).toFixed(1)} MB; ` +
      `${rounds} interleaved rounds; Node.js ${process.versions.node}, ${cpus()[0]?.model ?? 'unknown CPU'}`,
  )
  await using pyiceberg = PyIcebergReader.open(file)
  const readers = [...ownReaders(file), ...(pyiceberg ? [pyiceberg] : [])]
  const rates = new Map(readers.map(({ name }) => [name, [] as number[]]))
  for (let round = -2; round < rounds; round++) {
    for (const reader of readers) {
      const { entries: found, cpu } = await reader.read()
      if (found !== entries) throw new Error(`${reader.name} found ${found} entries of ${entries}`)
      // The first rounds warm up.
      if (round >= 0) rates.get(reader.name)!.push(entries / cpu)
    }
  }
  printTable(rates)
}

function printTable(rates: ReadonlyMap<string, readonly number[]>): void {
  const ours = median(rates.values().next().value!)
  console.log(
    '\n| reader | entries per CPU second | lowest | highest | Moulin is |\n|---|---:|---:|---:|---:|',
  )
  for (const [name, all] of rates) {
    const [rate, lowest, highest] = [median(all), Math.min(...all), Math.max(...all)].map(rounded)
    console.log(`| ${name} | ${rate} | ${lowest} | ${highest} | ${(ours / median(all)).toFixed(2)}× |`)
  }
}

function rounded(rate: number): string {
  return (Math.round(rate / 1000) * 1000).toLocaleString('en')
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name} must be a whole number from 1, but is ${text}`)
  return Number(text)
}
