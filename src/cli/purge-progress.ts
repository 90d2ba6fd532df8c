import { type OutcomeCounts, outcomes, stages } from '../purge/purger.ts'
import { formatCount } from './style.ts'

/** Characters of a progress bar, and of the shortest that still says something. */
const barWidth = 24
const leastBarWidth = 8
/** Milliseconds over which the rate is taken. */
const window = 30_000

/** How far a purge has come, and how fast it goes. */
export interface Erasure {
  /** Files dealt with. */
  readonly files: number
  /** Files a second of late; undefined as long as nothing can be said. */
  readonly rate: number | undefined
}

/** Takes the rate of a purge from what is seen of it. */
export class ErasureRate {
  readonly #seen: { readonly at: number; readonly files: number }[] = []

  /** @param now milliseconds. */
  note(counts: OutcomeCounts, now: number): Erasure {
    const files = stages.reduce(
      (sum, stage) => sum + outcomes.reduce((inner, outcome) => inner + (counts[stage]?.[outcome] ?? 0), 0),
      0,
    )
    this.#seen.push({ at: now, files })
    while (this.#seen.length > 2 && now - this.#seen[0]!.at > window) this.#seen.shift()
    const first = this.#seen[0]!
    const rate =
      now > first.at && files > first.files ? ((files - first.files) * 1_000) / (now - first.at) : undefined
    return { files, rate }
  }
}

/**
 * One line: a bar, the share, files of how many, the rate, and when it will be over. Where that is too long, the bar is shortened
 * first, then left out; then the rate, then the time.
 *
 * @param columns characters that there is room for.
 */
export function progressLine(
  { files, rate }: Erasure,
  expected: number | undefined,
  columns = Number.POSITIVE_INFINITY,
): string {
  const speed = rate === undefined ? '' : `  ${formatCount(Math.round(rate))} files/s`
  if (expected === undefined || expected === 0) {
    const count = `${formatCount(files)} files`
    return firstFitting([`${count}${speed}`, count], columns)
  }
  const share = Math.min(1, files / expected)
  const count = `${Math.floor(share * 100)} %  ${formatCount(files)} of ${formatCount(expected)} files`
  const left = rate === undefined || files >= expected ? '' : `  ${duration((expected - files) / rate)} left`
  const texts = [`${count}${speed}${left}`, `${count}${left}`, count]
  return firstFitting(
    texts.flatMap((text) => [withBar(share, text, columns), text]),
    columns,
  )
}

function withBar(share: number, text: string, columns: number): string {
  const width = Math.max(leastBarWidth, Math.min(barWidth, columns - text.length - 1))
  const filled = Math.floor(share * width)
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${text}`
}

/** The first of the texts that is short enough; when none is, what there is room for of the last. */
function firstFitting(texts: readonly string[], columns: number): string {
  return texts.find((text) => text.length <= columns) ?? texts.at(-1)!.slice(0, Math.max(0, columns))
}

/** Seconds in the two largest units that matter. */
function duration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
}
