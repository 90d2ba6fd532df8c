import { appendFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'

/** Where it was measured, for the line above a table. */
export function machine(): string {
  const [load] = loadavg()
  return `Node.js ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, load average ${load!.toFixed(1)} before`
}

/** Adds a section to bench/RESULTS.md. */
export function record(heading: string, setting: string, printed: string): void {
  const day = new Date().toISOString().slice(0, 10)
  const section = `\n## ${heading}\n\n${day}. ${setting}\n\n${printed}\n`
  appendFileSync(join(import.meta.dirname, '../RESULTS.md'), section)
}

/** A table in Markdown. Columns whose name begins with `#` are numbers. */
export function markdown(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    line(columns.map((column) => column.replace(/^#/, ''))),
    `|${columns.map((column) => (column.startsWith('#') ? '---:' : '---')).join('|')}|`,
    ...rows.map(line),
  ].join('\n')
}
