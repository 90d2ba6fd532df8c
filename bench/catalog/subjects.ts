import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { java } from '../../scripts/toolchains/java.ts'
import { cache, once as install } from '../../scripts/toolchains/toolchain.ts'
import { serveMoulin } from '../../test/interop/serve.ts'

/** A running server to be measured. */
export interface Subject extends AsyncDisposable {
  readonly name: string
  /** URL before `/namespaces`. */
  readonly api: string
  readonly pid: number
}

/** Moulin with a SQLite database and a warehouse of local files, in a process of its own. */
export async function moulin(): Promise<Subject> {
  const served = await serveMoulin((folder) => ({
    warehouses: { main: { location: join(folder, 'warehouse') } },
    logging: { level: 'warn' },
  }))
  return {
    name: 'Moulin',
    api: `${served.url}/v1/main`,
    pid: served.pid,
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  }
}

/** Iceberg's reference server likewise; its SQLite journals ahead and waits for locks, as Moulin's does. */
export async function referenceServer(
  folder: string,
  warehouse: string = join(folder, 'warehouse'),
): Promise<Subject> {
  const toolchain = java()
  if (toolchain.kind === 'missing') throw new Error(`No reference server: ${toolchain.reason}`)
  const libraries = toolchain.environment.MOULIN_TEST_CLASS_PATH!
  const classes = join(cache, 'reference-server')
  const source = join(import.meta.dirname, 'reference', 'LoopbackServer.java')
  install('reference-server.stamp', source, [['javac', '-d', classes, '-cp', libraries, source]])
  mkdirSync(folder, { recursive: true })
  const child = spawn(
    'java',
    [
      '-Xmx4g',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      '-cp',
      `${classes}:${libraries}`,
      'org.apache.iceberg.rest.LoopbackServer',
      `jdbc:sqlite:${join(folder, 'catalog.db')}?journal_mode=WAL&synchronous=FULL&busy_timeout=10000`,
      `file://${warehouse}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  return {
    name: 'reference server',
    api: `${await firstLine(child)}/v1`,
    pid: child.pid!,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) return line
  throw new Error('The reference server did not start')
}

/** CPU seconds, user and system, that a process has used so far. By Linux's /proc, in hundredths. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // Behind the program's name, which may hold spaces: utime and stime are fields 14 and 15 of the whole line.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
