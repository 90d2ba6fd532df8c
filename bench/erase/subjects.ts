import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { java } from '../../scripts/toolchains/java.ts'
import { cache, once as install } from '../../scripts/toolchains/toolchain.ts'
import type { WrittenTable } from '../../src/testing/table-writer/table.ts'
import type { Measured } from './measured.ts'

/** One way to get the files of a table deleted, in a process that lives through all rounds. */
export interface Subject {
  readonly name: string
  /** Only the data files; nothing is read. */
  readonly dataOnly: boolean
  erase(endpoint: string, table: WrittenTable): Promise<Measured>
  close(): void
}

/** Moulin's worker: ledger, guard, scan, deletion, sweep. */
export async function moulin(): Promise<Subject> {
  const child = await forked('./moulin.ts')
  return {
    name: 'Moulin',
    dataOnly: false,
    erase: (endpoint, { purge }) => ask(child, { endpoint, purge }),
    close: () => child.disconnect(),
  }
}

/** DeleteObjects of 1,000 known keys each, eight in flight. */
export async function loop(): Promise<Subject> {
  const child = await forked('./loop.ts')
  return {
    name: 'bare loop of DeleteObjects',
    dataOnly: true,
    erase: (endpoint, { files }) =>
      ask(child, { endpoint, keys: files.data.map((path) => path.replace('s3://lake/', '')) }),
    close: () => child.disconnect(),
  }
}

/** Iceberg Java's CatalogUtil.dropTableData with S3FileIO. Throws when Java or Maven is missing. */
export async function icebergJava(batchSize: number): Promise<Subject> {
  const toolchain = java()
  if (toolchain.kind === 'missing') throw new Error(`No Iceberg Java: ${toolchain.reason}`)
  const folder = join(cache, 'erase')
  const classPath = join(folder, 'class-path.txt')
  const pom = join(import.meta.dirname, 'pom.xml')
  install('erase-jars.stamp', pom, [
    ['mvn', '-q', '-B', '-f', pom, 'dependency:build-classpath', `-Dmdep.outputFile=${classPath}`],
  ])
  const libraries = readFileSync(classPath, 'utf8').trim()
  const source = join(import.meta.dirname, 'DropTableData.java')
  install('erase.stamp', source, [['javac', '-d', folder, '-cp', libraries, source]])
  const child = spawn(
    'java',
    [
      '-Xmx4g',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      '-cp',
      `${folder}:${libraries}`,
      'DropTableData',
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return {
    name: `Iceberg Java, batches of ${batchSize}`,
    dataOnly: false,
    erase: async (endpoint, { purge }) => {
      child.stdin.write(`${endpoint} ${batchSize} ${purge.metadataLocation}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error('Iceberg Java has ended')
      const [wall, cpu] = value.split(' ').map(Number)
      return { wall: wall!, cpu: cpu! }
    },
    close: () => child.stdin.end(),
  }
}

async function forked(file: string): Promise<ChildProcess> {
  const child = fork(new URL(file, import.meta.url))
  await once(child, 'message')
  return child
}

async function ask(child: ChildProcess, task: object): Promise<Measured> {
  child.send(task)
  const [answer] = (await once(child, 'message')) as [Measured | { error: string }]
  if ('error' in answer) throw new Error(answer.error)
  return answer
}
