import { figure, quantiles } from '../parts/quantiles.ts'
import { markdown } from '../parts/results.ts'
import type { Exchange, Measured } from './measure.ts'
import { operations } from './schedule.ts'

/** Three tables: latencies under the steady load, of drops by their size, and of the burst. Times in milliseconds. */
export function report(measured: readonly Measured[]): string {
  return [latencies(measured), bySize(measured), bursts(measured)].join('\n\n')
}

/** Answers that are no success, which make a run invalid. */
export function refused(exchanges: readonly Exchange[]): string {
  const counts = new Map<number, number>()
  for (const { status } of exchanges) {
    if (status < 200 || status > 299) counts.set(status, (counts.get(status) ?? 0) + 1)
  }
  return (
    Array.from(counts, ([status, count]) => `${count} × ${status === 0 ? 'broken' : status}`).join(', ') ||
    'none'
  )
}

function latencies(measured: readonly Measured[]): string {
  const rows = measured.flatMap(({ subject, steady }) =>
    operations.map((operation) => {
      const exchanges = steady.filter((exchange) => exchange.operation === operation)
      const { count, p50, p90, p99, max } = quantiles(exchanges.map(({ latency }) => latency))
      return [subject, operation, String(count), ...[p50, p90, p99, max].map(figure), refused(exchanges)]
    }),
  )
  return markdown(['server', 'what', '#answers', '#p50', '#p90', '#p99', '#max', 'refused'], rows)
}

function bySize(measured: readonly Measured[]): string {
  const sizes = [...new Set(measured.flatMap(({ steady }) => steady.map(({ files }) => files ?? 0)))]
    .filter((files) => files > 0)
    .sort((a, b) => a - b)
  const rows = measured.map(({ subject, steady }) => [
    subject,
    ...sizes.map((size) =>
      figure(quantiles(steady.filter(({ files }) => files === size).map(({ latency }) => latency)).p50),
    ),
  ])
  const columns = sizes.map((size) => `#${size.toLocaleString('en')}`)
  return markdown(['median of DELETE by data files of the table', ...columns], rows)
}

function bursts(measured: readonly Measured[]): string {
  const rows = measured.map(({ subject, steady, burst, purged, drained, left }) => {
    const { count, p50, max } = quantiles(burst.map(({ latency }) => latency))
    const drops = steady.filter(({ operation }) => operation === 'DELETE').length
    const late = quantiles([...steady, ...burst].map((exchange) => exchange.late)).p99
    return [
      subject,
      String(count),
      figure(p50),
      figure(max),
      refused(burst),
      `${purged} of ${drops}`,
      figure(drained),
      String(left),
      figure(late),
    ]
  })
  const columns = [
    ...['server', '#DELETEs at once', '#p50', '#last answer', 'refused', '#purged when the load ended'],
    ...['#all purged, seconds after the burst', '#files left', '#sent late, p99'],
  ]
  return markdown(columns, rows)
}
