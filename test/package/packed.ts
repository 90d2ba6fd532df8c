/** The package as it would be published, made once for a test file. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Runs a program and gives what it printed. Throws with all of it when the program fails. */
export function run(folder: string, program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0)
    throw new Error(`${[program, ...args].join(' ')} ended with ${status}:\n${stdout}\n${stderr}`)
  return stdout
}

/** Packs a package, Moulin by default, into a folder; gives the tarball's path. */
export function pack(folder: string, source = root): string {
  const [packed] = JSON.parse(
    run(source, 'npm', 'pack', '--json', '--silent', '--pack-destination', folder),
  ) as {
    readonly filename: string
  }[]
  return join(folder, packed!.filename)
}

/** Installs packages into a folder, from the cache where it has them. */
export function install(folder: string, ...packages: string[]): void {
  run(folder, 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', '--silent', ...packages)
}
