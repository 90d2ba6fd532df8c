import { printJson } from '../../src/iceberg/json/exact-json.ts'
import { type LiveTable, namespace } from '../parts/rest.ts'
import type { Doomed } from './mix.ts'

export const operations = ['DELETE', 'loadTable', 'commit'] as const
export type Operation = (typeof operations)[number]

export interface TimedRequest {
  /** Milliseconds after the beginning at which it is due. */
  readonly at: number
  readonly operation: Operation
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: string
  /** Data files of the table that is dropped. */
  readonly files?: number
}

/** Of every operation, a second. */
export const rates = { DELETE: 20, loadTable: 100, commit: 20 } as const

/** A load of so many seconds at the fixed rates: `drops` has 20 for each of them. Sorted by time. */
export function steadyLoad(
  api: string,
  drops: readonly Doomed[],
  live: readonly LiveTable[],
  seconds: number,
): TimedRequest[] {
  const every = (operation: Operation, phase: number, make: (index: number) => Omit<TimedRequest, 'at'>) =>
    Array.from({ length: rates[operation] * seconds }, (_, index) => ({
      at: ((index + phase) * 1_000) / rates[operation],
      ...make(index),
    }))
  // The phases keep the three from being due at the same moment each time.
  return [
    ...every('DELETE', 0, (index) => drop(api, drops[index]!)),
    ...every('loadTable', 1 / 3, (index) => ({
      operation: 'loadTable',
      method: 'GET',
      path: pathOf(api, live[index % live.length]!.name),
    })),
    ...every('commit', 1 / 2, (index) => commit(api, live[index % live.length]!, index)),
  ].sort((a, b) => a.at - b.at)
}

/** All in the same instant, half a second after a drop that gives the server something to do. */
export function burst(api: string, lead: Doomed, drops: readonly Doomed[]): TimedRequest[] {
  return [lead, ...drops].map((table, index) => ({ at: index === 0 ? 0 : 500, ...drop(api, table) }))
}

export function pathOf(api: string, table: string): string {
  return `${new URL(api).pathname}/namespaces/${namespace}/tables/${table}`
}

function drop(api: string, { name, files }: Doomed): Omit<TimedRequest, 'at'> {
  return { operation: 'DELETE', method: 'DELETE', path: `${pathOf(api, name)}?purgeRequested=true`, files }
}

/** Changes one property, so that documents stay as large as they are. */
function commit(api: string, { name, uuid }: LiveTable, index: number): Omit<TimedRequest, 'at'> {
  return {
    operation: 'commit',
    method: 'POST',
    path: pathOf(api, name),
    body: printJson({
      requirements: [{ type: 'assert-table-uuid', uuid }],
      updates: [{ action: 'set-properties', updates: { 'bench.commit': String(index) } }],
    }),
  }
}
