import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { python } from '../../scripts/toolchains/python.ts'
import type { Reader, Reading } from './readers.ts'

/** PyIceberg, in a process of its own that lives as long as the bench. */
export class PyIcebergReader implements Reader, AsyncDisposable {
  readonly name = 'PyIceberg'
  readonly #folder: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>

  /** Undefined, and says why, where there is no Python. */
  static open(file: Buffer): PyIcebergReader | undefined {
    const toolchain = python()
    if (toolchain.kind === 'ready')
      return new PyIcebergReader(join(toolchain.environment.MOULIN_TEST_PYTHON!, 'python'), file)
    console.log(`without PyIceberg: ${toolchain.reason}`)
    return undefined
  }

  private constructor(program: string, file: Buffer) {
    this.#folder = mkdtempSync(join(tmpdir(), 'moulin-scan-'))
    const path = join(this.#folder, 'manifest.avro')
    writeFileSync(path, file)
    this.#child = spawn(program, [join(import.meta.dirname, 'read_manifest.py'), path])
    this.#child.stderr.pipe(process.stderr)
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async read(): Promise<Reading> {
    this.#child.stdin.write('\n')
    const { done, value } = await this.#answers.next()
    if (done) throw new Error('PyIceberg has ended.')
    const [entries, cpu] = value.split(' ').map(Number) as [number, number]
    return { entries, cpu }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.stdin.end()
    await ended
    rmSync(this.#folder, { recursive: true })
  }
}
