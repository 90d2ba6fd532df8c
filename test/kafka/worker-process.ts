import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'

const main = join(import.meta.dirname, '../../src/cli/main.ts')

/** A `moulin worker --kafka`, to be killed. */
export class WorkerProcess {
  readonly #child: ChildProcess
  readonly #folder: string
  /** What it has said on standard error. */
  printed: string

  /** Resolves when it says that it works; it joins its group a moment later. */
  static async start(configuration: object): Promise<WorkerProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-kafka-worker-'))
    const file = join(folder, 'moulin.yaml')
    writeFileSync(file, stringify(configuration))
    const child = spawn(process.execPath, [main, 'worker', '--kafka', '--config', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let printed = ''
    for await (const chunk of child.stderr) {
      printed += String(chunk)
      if (!printed.includes('does the tasks of')) continue
      return new WorkerProcess(child, folder, printed)
    }
    rmSync(folder, { recursive: true, force: true })
    throw new Error(`The worker did not start: ${printed}`)
  }

  private constructor(child: ChildProcess, folder: string, printed: string) {
    this.#child = child
    this.#folder = folder
    this.printed = printed
    child.stderr!.on('data', (chunk) => {
      this.printed += String(chunk)
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** SIGTERM: gives its exit code. */
  async stop(): Promise<number | null> {
    return await this.#end('SIGTERM')
  }

  /** SIGKILL: no handler runs. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal)
      await once(this.#child, 'exit')
    }
    rmSync(this.#folder, { recursive: true, force: true })
    return this.#child.exitCode
  }
}
