import type { Measured } from './generator.ts'

export interface Row {
  readonly workload: string
  readonly subject: string
  /** What each round measured; `cpu` in milliseconds of the server for one answer. */
  readonly rounds: readonly (Measured & { readonly cpu: number })[]
}

/** A table in Markdown. The first subject of a workload is compared with each. */
export function table(rows: readonly Row[]): string {
  const lines = [
    '| what | server | per second | lowest | highest | p50 ms | p99 ms | CPU ms each | refused | Moulin is |',
    '|---|---|---:|---:|---:|---:|---:|---:|---|---:|',
  ]
  for (const { workload, subject, rounds } of rows) {
    const rates = rounds.map(({ rate }) => rate)
    const ours = rows.find((row) => row.workload === workload)!.rounds.map(({ rate }) => rate)
    const columns = [
      workload,
      subject,
      number(median(rates)),
      number(Math.min(...rates)),
      number(Math.max(...rates)),
      number(median(rounds.map(({ p50 }) => p50))),
      number(median(rounds.map(({ p99 }) => p99))),
      number(median(rounds.map(({ cpu }) => cpu))),
      refusals(rounds),
      `${(median(ours) / median(rates)).toFixed(2)}×`,
    ]
    lines.push(`| ${columns.join(' | ')} |`)
  }
  return lines.join('\n')
}

function refusals(rounds: Row['rounds']): string {
  const total: Record<string, number> = {}
  for (const { refused } of rounds) {
    for (const [status, count] of Object.entries(refused)) total[status] = (total[status] ?? 0) + count
  }
  return (
    Object.entries(total)
      .map(([status, count]) => `${count} × ${status}`)
      .join(', ') || 'none'
  )
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 })
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
