/** What the receipts of a generation say together. */
import {
  BlockedPurgeError,
  type OutcomeCounts,
  type PathFailure,
  PermanentPurgeError,
  type PurgeMessage,
  RetryablePurgeError,
} from '../../purger.ts'
import { keptReceipt, type Receipt, receiptKey } from './messages.ts'
import type { Plan } from './plan.ts'

export interface Account {
  /** Tasks without a receipt. */
  readonly outstanding: readonly number[]
  /** Receipts of tasks that are not done. */
  readonly failed: readonly Receipt[]
  readonly counts: OutcomeCounts
  /** Files were left to the server. */
  readonly left: boolean
}

/** Receipts of other generations, and what is none, are passed over. */
export function accountOf(plan: Plan, messages: readonly PurgeMessage[]): Account {
  const tasks = new Map(plan.tasks.map((task) => [receiptKey(plan.generation, task), task]))
  const receipts = new Map<number, Receipt>()
  for (const { key, body } of messages) {
    const task = tasks.get(key)
    const receipt = task === undefined ? undefined : keptReceipt(body)
    if (receipt?.task === task && receipt?.generation === plan.generation) receipts.set(receipt.task, receipt)
  }
  const all = [...receipts.values()]
  const sum = (outcome: keyof Receipt['counts']) =>
    all.reduce((soFar, { counts }) => soFar + counts[outcome], 0)
  return {
    outstanding: plan.tasks.filter((task) => !receipts.has(task)),
    failed: all.filter(isFailed),
    counts: {
      data: {
        deleted: sum('deleted'),
        absent: sum('absent'),
        kept: sum('kept'),
        blocked: sum('blocked'),
        failed: sum('failed'),
      },
    },
    left: sum('left') > 0,
  }
}

/** The failures that the receipts name. */
export function namedFailures(failed: readonly Receipt[]): PathFailure[] {
  return failed.flatMap(({ failures }) => failures.map((failure) => ({ ...failure, stage: 'data' as const })))
}

/** What a purge some of whose tasks are not done has to fail with. */
export function failureOf(failed: readonly Receipt[]): Error {
  const errors = failed.flatMap(({ error }) => (error === null ? [] : [error]))
  const permanent = errors.find((error) => error.permanent)
  if (permanent) return new PermanentPurgeError(permanent.message)
  const count = (outcome: 'blocked' | 'failed') =>
    failed.reduce((sum, { counts }) => sum + counts[outcome], 0)
  const [blocked, unfinished] = [count('blocked'), count('failed')]
  const problems = [
    unfinished > 0 ? `${unfinished} files could not be deleted` : '',
    blocked > 0 ? `${blocked} files must not be deleted (blocked by the store)` : '',
    errors.length > 0 ? `${errors.length} tasks were given up` : '',
  ].filter((problem) => problem !== '')
  const example = namedFailures(failed)[0]
  const reason = example ? `${example.path}: ${example.code}: ${example.message}` : errors[0]?.message
  const text = `${problems.join(' and ')}${reason === undefined ? '' : `, among them ${reason}`}`
  return unfinished === 0 && errors.length === 0 ? new BlockedPurgeError(text) : new RetryablePurgeError(text)
}

function isFailed({ counts, error }: Receipt): boolean {
  return error !== null || counts.blocked > 0 || counts.failed > 0
}
