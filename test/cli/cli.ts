import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** Working directory. */
  readonly cwd?: string
  /** Added to a plain environment without any MOULIN_ variable. */
  readonly env?: Record<string, string>
  /** The program. @default that of the sources */
  readonly main?: string
}

/** A `moulin` command as a process of its own. */
export class Cli {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], { cwd, env = {}, main = source }: RunOptions = {}) {
    const plain = Object.entries(process.env).filter(([name]) => !/^(MOULIN_|FORCE_COLOR)/.test(name))
    this.child = spawn(process.execPath, [main, ...args], {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...Object.fromEntries(plain), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.on('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }))
    })
  }

  /** Waits until standard error matches, and returns the first group. Throws when the process ends before. */
  async says(pattern: RegExp): Promise<string> {
    const isOver = this.ended.then(() => true)
    while (true) {
      const match = pattern.exec(this.stderr)
      if (match !== null) return match[1] ?? match[0]
      const over = await Promise.race([isOver, new Promise<false>((next) => setTimeout(next, 20, false))])
      if (over && !pattern.test(this.stderr)) {
        throw new Error(`The command ended without saying ${pattern}:\n${this.stderr}`)
      }
    }
  }
}

/** Runs a command to its end. */
export function moulin(args: readonly string[], options?: RunOptions): Promise<Ended> {
  return new Cli(args, options).ended
}

/** An empty folder that is removed at the end of an `await using` block. */
export function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'moulin-cli-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
