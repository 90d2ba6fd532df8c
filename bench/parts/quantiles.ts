export interface Quantiles {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Of at least one value: the smallest that so large a part of them does not exceed (nearest rank). */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)]!
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

/** Three significant digits. */
export function figure(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 })
}
