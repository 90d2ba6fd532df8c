import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect } from 'vitest'

/**
 * Runs the tests of this folder, or those of some of its files, and fails with what they printed.
 *
 * @param python the folder of programs of a virtual environment that has `../requirements.txt`.
 * @param environment what `conftest.py` and `endings.py` ask for.
 */
export async function pytest(
  python: string,
  environment: Readonly<Record<string, string>>,
  ...files: readonly string[]
): Promise<void> {
  const run = spawn(join(python, 'python'), ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', ...files], {
    cwd: import.meta.dirname,
    env: { ...process.env, ...environment, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [run.stdout, run.stderr]) stream.on('data', (chunk) => (printed += String(chunk)))
  const [status] = await once(run, 'exit')
  expect(status, printed.slice(-6_000)).toBe(0)
}
