/** Purges as the management API shows them, in words. */
import { type Outcome, type OutcomeCounts, outcomes, type Stage, stages } from '../purge/purger.ts'
import { formatBytes, formatCount, plural, type Style, styleFor } from './style.ts'

/** A purge as the management API shows it. */
export interface PurgeBody {
  readonly id: string
  readonly state: string
  readonly kind: string
  readonly warehouse: string
  readonly namespace: readonly string[]
  readonly name: string
  readonly uuid?: string
  readonly 'metadata-location': string
  readonly purger: string
  readonly principal: string
  readonly 'request-id'?: string
  readonly client?: string
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

/** Prints everything about a purge. */
export function printPurge(purge: PurgeBody): void {
  const style = styleFor(process.stdout)
  const time = (value: number | undefined) =>
    value === undefined ? undefined : new Date(value).toISOString()
  const expected = purge['expected-files']
  const facts: [string, string | undefined][] = [
    ['purge', purge.id],
    ['state', stateText(purge, style).trim()],
    [purge.kind, tableText(purge)],
    ['uuid', purge.uuid],
    ['metadata', purge['metadata-location']],
    ['purger', purge.purger],
    ['requested', `${time(purge['requested-at'])} by ${purge.principal}`],
    ['request', purge['request-id']],
    ['client', purge.client],
    ['finished', time(purge['finished-at'])],
    ['attempts', String(purge.attempts)],
    ['next', time(purge['next-attempt-at'])],
    [purge.state === 'handed_off' ? 'to hold' : 'held', purge['hold-reason']],
    ['error', purge['last-error']],
    ['expected', expected === undefined ? undefined : plural(expected, 'file')],
    [
      'erased',
      `${plural(total(purge.counts, 'deleted'), 'file')}, ${formatBytes(total(purge.bytes, 'deleted'))}`,
    ],
  ]
  for (const [name, value] of facts) if (value !== undefined) console.log(`${name.padEnd(10)} ${value}`)
  for (const stage of stages) {
    const text = stageText(purge.counts, stage)
    if (text !== '') console.log(`${stage.padEnd(15)} ${text}`)
  }
  for (const { path, code, message } of purge.failures ?? [])
    console.log(`${style.red('✗')} ${path}: ${code}: ${message}`)
}

function stageText(counts: OutcomeCounts, stage: Stage): string {
  const parts = outcomes.map((outcome) => [outcome, counts[stage]?.[outcome] ?? 0] as const)
  return parts
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${formatCount(count)} ${outcome}`)
    .join(', ')
}

export function countsText(counts: OutcomeCounts): string {
  return outcomes
    .filter((outcome) => outcome === 'deleted' || total(counts, outcome) > 0)
    .map((outcome) => `${formatCount(total(counts, outcome))} ${outcome}`)
    .join(', ')
}

/** Of all stages. */
function total(counts: OutcomeCounts, outcome: Outcome): number {
  return stages.reduce((sum, stage) => sum + (counts[stage]?.[outcome] ?? 0), 0)
}

/** As wide as the longest of them. */
export function stateText({ state }: PurgeBody, style?: Style): string {
  const text = state.padEnd('handed_off'.length)
  if (!style) return text
  if (state === 'succeeded') return style.green(text)
  if (state === 'failed') return style.red(text)
  return state === 'held' ? style.yellow(text) : style.cyan(text)
}

export function tableText({ warehouse, namespace, name }: PurgeBody): string {
  return `${warehouse}: ${[...namespace, name].join('.')}`
}
