const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const sizeUnits = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const

/** Milliseconds of `500ms`, `30s`, `5m`, `1.5h` or `7d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return parse(text, durationUnits)
}

/** Bytes of `512B`, `64MiB` or `1.5GB`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return parse(text, sizeUnits)
}

/** The shortest text that {@link parseDuration} turns back into this number of milliseconds. */
export function formatDuration(milliseconds: number): string {
  return format(milliseconds, durationUnits)
}

/** The shortest text that {@link parseSize} turns back into this number of bytes. */
export function formatSize(bytes: number): string {
  return format(bytes, sizeUnits)
}

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text) ?? []
  const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined
  if (factor === undefined) return undefined
  const value = Math.round(Number(amount) * factor)
  return Number.isSafeInteger(value) ? value : undefined
}

function format(value: number, units: Readonly<Record<string, number>>): string {
  const fitting = Object.entries(units).filter(([, factor]) => value % factor === 0 && value >= factor)
  const [unit, factor] = fitting.sort(([, a], [, b]) => b - a)[0] ?? Object.entries(units)[0]!
  return `${value / factor}${unit}`
}
