import { type OutcomeCounts, outcomes, stages } from '../purge/purger.ts'
import { formatCount } from './style.ts'

/** Characters of a progress bar. */
const width = 24
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

/** One line: a bar, the share, files of how many, the rate, and when it will be over. */
export function progressLine({ files, rate }: Erasure, expected: number | undefined): string {
  const speed = rate === undefined ? '' : `  ${formatCount(Math.round(rate))} files/s`
  if (expected === undefined || expected === 0) return `${formatCount(files)} files${speed}`
  const share = Math.min(1, files / expected)
  const filled = Math.floor(share * width)
  const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`
  const left = rate === undefined || files >= expected ? '' : `  ${duration((expected - files) / rate)} left`
  return `${bar} ${Math.floor(share * 100)} %  ${formatCount(files)} of ${formatCount(expected)} files${speed}${left}`
}

/** Seconds in the two largest units that matter. */
function duration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
}
