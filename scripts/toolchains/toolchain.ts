import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const root = dirname(dirname(import.meta.dirname))
/** What the toolchains install; not under version control. */
export const cache = join(root, '.cache')

/** Either environment variables for the suites that use the toolchain, or why it cannot be had. */
export type Toolchain =
  | { readonly kind: 'ready'; readonly environment: Readonly<Record<string, string>> }
  | { readonly kind: 'missing'; readonly reason: string }

/** Several as one; what is missing of the first that is, is missing. */
export function together(...toolchains: readonly (() => Toolchain)[]): Toolchain {
  const environment: Record<string, string> = {}
  for (const prepare of toolchains) {
    const toolchain = prepare()
    if (toolchain.kind === 'missing') return toolchain
    Object.assign(environment, toolchain.environment)
  }
  return { kind: 'ready', environment }
}

/** The program's version line, or undefined when it is not there. */
export function programVersion(program: string, ...args: string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return status === 0 ? (stdout || stderr).split('\n', 1)[0] : undefined
}

/** Runs steps unless they have been run already for the same content of `file`. Throws when one fails. */
export function once(stamp: string, file: string, steps: readonly (readonly string[])[]): void {
  const wanted = createHash('sha256').update(readFileSync(file)).digest('hex')
  const stampFile = join(cache, stamp)
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return
  mkdirSync(cache, { recursive: true })
  for (const [program, ...args] of steps) {
    // Class paths are long.
    const shown = args.map((arg) => (arg.length > 200 ? '…' : arg.replaceAll(root, '.')))
    console.log(`installing: ${[program, ...shown].join(' ')}`)
    const { status } = spawnSync(program!, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    if (status !== 0) throw new Error(`${program} failed with status ${status}`)
  }
  writeFileSync(stampFile, wanted)
}
