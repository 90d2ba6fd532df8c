import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'

export interface ServedMoulin extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Folder of this server: configuration, database, warehouse, log. */
  readonly folder: string
  readonly pid: number
}

const source = join(import.meta.dirname, '../../src/cli/main.ts')

/**
 * Starts `moulin serve` as a process of its own, as `npm start -- --config FILE` does, on a free port.
 *
 * @param main the program. @default that of the sources
 */
export async function serveMoulin(
  configuration: (folder: string) => Readonly<Record<string, unknown>>,
  main = source,
): Promise<ServedMoulin> {
  const folder = mkdtempSync(join(tmpdir(), 'moulin-interop-'))
  const file = join(folder, 'moulin.yaml')
  writeFileSync(file, stringify({ server: { port: 0 }, ...configuration(folder) }))
  const child = spawn(process.execPath, [main, 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.pipe(createWriteStream(join(folder, 'log.ndjson')))
  const url = await listening(child)
  return {
    url,
    folder,
    pid: child.pid!,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The address that the server prints once it listens. */
async function listening(child: ChildProcess): Promise<string> {
  let printed = ''
  for await (const chunk of child.stderr!) {
    printed += String(chunk)
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0]
    if (url !== undefined) {
      child.stderr!.resume()
      return url
    }
  }
  throw new Error(`The server did not start: ${printed}`)
}
