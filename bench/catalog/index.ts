/**
 * loadTable, commit and create per second over 16 connections: Moulin beside Iceberg's reference server (Java), both on
 * SQLite and local files, by turns in one run. Needs Java 17, Maven and Linux.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Job, Measured } from './generator.ts'
import { type Row, table } from './report.ts'
import { cpuSeconds, moulin, referenceServer, type Subject } from './subjects.ts'
import { makeTables, type Tables } from './tables.ts'
import { workloads } from './workloads.ts'

export const description = "loads, commits and creations per second, beside Iceberg's reference server"

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      connections: { type: 'string', default: '16' },
      snapshots: { type: 'string', default: '10000' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      record: { type: 'boolean', default: false },
    },
  })
  const connections = wholeNumber('connections', values.connections)
  const snapshots = wholeNumber('snapshots', values.snapshots)
  const seconds = wholeNumber('seconds', values.seconds)
  const rounds = wholeNumber('rounds', values.rounds)

  const folder = mkdtempSync(join(tmpdir(), 'moulin-bench-'))
  try {
    await using ours = await moulin()
    await using reference = await referenceServer(join(folder, 'reference'))
    const subjects = [ours, reference]
    const prepared = new Map<Subject, Tables>()
    let bytes = 0
    for (const subject of subjects) {
      const made = await makeTables(subject, connections, snapshots)
      prepared.set(subject, made.tables)
      bytes = made.bytes
    }
    const setting =
      `${connections} connections, each with its own tables; a long history is ${snapshots.toLocaleString('en')} ` +
      `snapshots, ${(bytes / 1e6).toFixed(1)} MB; medians of ${rounds} rounds of ${seconds} s by turns, after one to ` +
      `warm up; Node.js ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}`
    console.log(`${setting}\n`)

    const rows: Row[] = []
    for (const { name } of workloads) {
      const measured = subjects.map((): Row['rounds'][number][] => [])
      for (let round = -1; round < rounds; round++) {
        for (const [index, subject] of subjects.entries()) {
          const job = { connections, seconds, workload: name, unique: `${round + 1}` }
          const result = await measure(subject, { ...job, api: subject.api, tables: prepared.get(subject)! })
          if (round >= 0) measured[index]!.push(result)
        }
      }
      for (const [index, subject] of subjects.entries()) {
        rows.push({ workload: name, subject: subject.name, rounds: measured[index]! })
      }
      console.error(`measured: ${name}`)
    }
    const printed = table(rows)
    console.log(printed)
    if (values.record) record(setting, printed)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs one job in a new process. @returns what it measured, and the server's CPU time for one answer */
async function measure(subject: Subject, job: Job): Promise<Row['rounds'][number]> {
  const before = cpuSeconds(subject.pid)
  const generator = fork(join(import.meta.dirname, 'generator.ts'))
  const failed = once(generator, 'exit').then(([status]) => {
    throw new Error(`The load generator ended with ${status}`)
  })
  failed.catch(() => {})
  generator.send(job)
  const [measured] = (await Promise.race([once(generator, 'message'), failed])) as [Measured]
  return { ...measured, cpu: ((cpuSeconds(subject.pid) - before) * 1_000) / measured.answers }
}

function record(setting: string, printed: string): void {
  const day = new Date().toISOString().slice(0, 10)
  const heading = `## catalog: loads, commits and creations per second`
  appendFileSync(
    join(import.meta.dirname, '../RESULTS.md'),
    `\n${heading}\n\n${day}. \`npm run bench -- catalog\`: ${setting}.\n\n${printed}\n`,
  )
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name} must be a whole number from 1, but is ${text}`)
  return Number(text)
}
