import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FileIO } from '../../../storage/file-io.ts'
import { joinLocation } from '../../../storage/location.ts'
import type { DoomedFile } from '../../deletion/batch.ts'
import type { Attachment, Stage } from '../../purger.ts'

const compress = promisify(gzip)

/** Lines of one part: some megabytes, which are held in memory once. */
const linesPerPart = 100_000

interface Part {
  readonly location: string
  readonly lines: number
  readonly sha256: string
}

/**
 * Writes what would be erased as compressed NDJSON, one path a line: `{"stage", "path", "size"?, "kept"?}`. Parts are
 * numbered, and an index names each with its digest. Writing the plan again replaces it.
 */
export class PlanWriter {
  readonly #io: FileIO
  readonly #folder: string
  #lines: string[] = []
  readonly #parts: Part[] = []

  /** @param folder where the parts go. */
  constructor(io: FileIO, folder: string) {
    this.#io = io
    this.#folder = folder
  }

  /** @param rules for each file the rule that would keep it. */
  async add(
    stage: Stage,
    files: readonly DoomedFile[],
    rules: readonly (string | undefined)[],
  ): Promise<void> {
    for (const [index, { path, size }] of files.entries()) {
      this.#lines.push(JSON.stringify({ stage, path, size, kept: rules[index] }))
      if (this.#lines.length === linesPerPart) await this.#writePart()
    }
  }

  /** Writes the rest and the index. */
  async end(): Promise<Attachment> {
    if (this.#lines.length > 0 || this.#parts.length === 0) await this.#writePart()
    const paths = this.#parts.reduce((sum, { lines }) => sum + lines, 0)
    const index = Buffer.from(`${JSON.stringify({ version: 1, paths, parts: this.#parts }, undefined, 2)}\n`)
    const location = joinLocation(this.#folder, 'index.json')
    await this.#io.write(location, index)
    return { name: 'plan', location, sha256: sha256(index) }
  }

  async #writePart(): Promise<void> {
    const number = String(this.#parts.length).padStart(5, '0')
    const location = joinLocation(this.#folder, `part-${number}.ndjson.gz`)
    const bytes = await compress(`${this.#lines.join('\n')}\n`)
    await this.#io.write(location, bytes)
    this.#parts.push({ location, lines: this.#lines.length, sha256: sha256(bytes) })
    this.#lines = []
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
