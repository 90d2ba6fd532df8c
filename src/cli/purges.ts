/** `moulin purges …`: what a running server says of its purges, over the management API. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type OutcomeCounts, outcomes, type Stage, stages } from '../purge/purger.ts'
import { askServer, type ManagementOptions } from './management.ts'
import { ErasureRate, progressLine } from './purge-progress.ts'
import { formatCount, type Style, styleFor } from './style.ts'

/** A purge as the management API shows it. */
interface PurgeBody {
  readonly id: string
  readonly state: string
  readonly kind: string
  readonly warehouse: string
  readonly namespace: readonly string[]
  readonly name: string
  readonly purger: string
  readonly principal: string
  readonly 'requested-at': number
  readonly 'finished-at'?: number
  readonly attempts: number
  readonly counts: OutcomeCounts
  readonly bytes: OutcomeCounts
  readonly 'expected-files'?: number
  readonly 'next-attempt-at'?: number
  readonly 'hold-reason'?: string
  readonly 'last-error'?: string
  readonly failures?: readonly { readonly path: string; readonly code: string; readonly message: string }[]
}

/** The latest purges, a line each. */
export async function listPurges(options: ManagementOptions): Promise<void> {
  const { purges } = (await askServer(options, 'GET', 'purges')) as { purges: readonly PurgeBody[] }
  const style = styleFor(process.stdout)
  if (purges.length === 0) console.log('No table or view was dropped with purge yet.')
  for (const purge of purges) {
    const when = new Date(purge['requested-at']).toISOString().slice(0, 19)
    console.log(
      `${purge.id}  ${when}  ${stateText(purge, style)}  ${tableText(purge)}  ${countsText(purge.counts)}`,
    )
  }
}

/** Everything about one purge. */
export async function showPurge(id: string, options: ManagementOptions): Promise<void> {
  print((await askServer(options, 'GET', purgePath(id))) as PurgeBody)
}

/** Has a failed purge tried again. */
export async function retryPurge(
  id: string,
  options: ManagementOptions & { readonly byLocation: boolean },
): Promise<void> {
  await askServer(options, 'POST', `${purgePath(id)}/retry`, { 'by-location': options.byLocation })
  console.log(`Purge ${id} will be tried again: moulin purges watch ${id}`)
}

/** Shows how far a purge has come until it has ended; exit code 1 unless it has succeeded. */
export async function watchPurge(id: string, options: ManagementOptions): Promise<void> {
  const style = styleFor(process.stderr)
  const rate = new ErasureRate()
  for (;;) {
    const purge = (await askServer(options, 'GET', purgePath(id))) as PurgeBody
    const done = rate.note(purge.counts, performance.now())
    const line = `${stateText(purge, style)} ${progressLine(done, purge['expected-files'])}`
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${line}`)
    if (['succeeded', 'failed', 'held', 'cancelled'].includes(purge.state)) {
      if (process.stderr.isTTY) process.stderr.write('\n')
      print(purge)
      if (purge.state !== 'succeeded') process.exitCode = 1
      return
    }
    await sleep(500)
  }
}

function print(purge: PurgeBody): void {
  const style = styleFor(process.stdout)
  const time = (value: number | undefined) =>
    value === undefined ? undefined : new Date(value).toISOString()
  const facts: [string, string | undefined][] = [
    ['purge', purge.id],
    ['state', stateText(purge, style).trim()],
    [purge.kind, tableText(purge)],
    ['purger', purge.purger],
    ['requested', `${time(purge['requested-at'])} by ${purge.principal}`],
    ['finished', time(purge['finished-at'])],
    ['attempts', String(purge.attempts)],
    ['next', time(purge['next-attempt-at'])],
    [purge.state === 'handed_off' ? 'to hold' : 'held', purge['hold-reason']],
    ['error', purge['last-error']],
  ]
  for (const [name, value] of facts) if (value !== undefined) console.log(`${name.padEnd(10)} ${value}`)
  for (const stage of stages) {
    const text = stageText(purge.counts, stage)
    if (text !== '') console.log(`${stage.padEnd(15)} ${text}`)
  }
  for (const { path, code, message } of purge.failures ?? [])
    console.log(`${style.red('✗')} ${path}: ${code}: ${message}`)
}

function purgePath(id: string): string {
  return `purges/${encodeURIComponent(id)}`
}

function stageText(counts: OutcomeCounts, stage: Stage): string {
  const parts = outcomes.map((outcome) => [outcome, counts[stage]?.[outcome] ?? 0] as const)
  return parts
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${formatCount(count)} ${outcome}`)
    .join(', ')
}

function countsText(counts: OutcomeCounts): string {
  const sum = (outcome: (typeof outcomes)[number]) =>
    stages.reduce((total, stage) => total + (counts[stage]?.[outcome] ?? 0), 0)
  return outcomes
    .filter((outcome) => outcome === 'deleted' || sum(outcome) > 0)
    .map((outcome) => `${formatCount(sum(outcome))} ${outcome}`)
    .join(', ')
}

function stateText({ state }: PurgeBody, style: Style): string {
  const text = state.padEnd(9)
  if (state === 'succeeded') return style.green(text)
  if (state === 'failed') return style.red(text)
  return state === 'held' ? style.yellow(text) : style.cyan(text)
}

function tableText({ warehouse, namespace, name }: PurgeBody): string {
  return `${warehouse}: ${[...namespace, name].join('.')}`
}
