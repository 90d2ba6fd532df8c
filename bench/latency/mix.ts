import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeTable } from '../parts/table.ts'

/** A table that will be dropped. */
export interface Doomed {
  readonly name: string
  /** Data files. */
  readonly files: number
}

/** Of a hundred drops, so many are of tables with so many data files: many small ones, few large. */
const mix = [
  { tables: 50, files: 1 },
  { tables: 30, files: 10 },
  { tables: 14, files: 100 },
  { tables: 5, files: 1_000 },
  { tables: 1, files: 10_000 },
]
/** Data files of larger tables are named only: the disk would be full of them before the server had any work. */
const mostOnDisk = 10_000

/** Tables in the fixed mix, the sizes spread evenly and in the same order at every run. */
export function mixed(prefix: string, count: number): Doomed[] {
  const sizes = mix.flatMap(({ tables, files }) => Array<number>(tables).fill(files))
  return Array.from({ length: count }, (_, index) => ({
    name: `${prefix}_${index}`,
    // 37 has no factor in common with 100: a hundred steps meet every size as often as the mix says.
    files: sizes[(index * 37) % sizes.length]!,
  }))
}

/** The same tables for every subject: written once, copied to where their metadata says that they are. */
export class DoomedTables {
  readonly #original: string
  readonly #place: string
  readonly #metadata = new Map<Doomed, string>()

  /** @param folder for the originals. @param place folder in the warehouses under which the copies go */
  constructor(folder: string, place: string, tables: readonly Doomed[]) {
    this.#original = folder
    this.#place = place
    for (const table of tables) {
      const { name, files } = table
      const location = `file://${place}/${name}`
      this.#metadata.set(
        table,
        writeTable({ folder: join(folder, name), location, files, data: files <= mostOnDisk }),
      )
    }
  }

  /** Puts the files into place. @returns what to register */
  copy(): { readonly name: string; readonly metadataLocation: string }[] {
    mkdirSync(this.#place, { recursive: true })
    execFileSync('cp', ['-r', `${this.#original}/.`, this.#place])
    return Array.from(this.#metadata, ([{ name }, metadataLocation]) => ({ name, metadataLocation }))
  }

  /** Files of the copies that are there still. */
  left(): number {
    return readdirSync(this.#place, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    ).length
  }
}
