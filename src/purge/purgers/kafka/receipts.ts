/** What the receipts of a generation say together. */
import { isThrottled, isThrottlingCode } from '../../deletion/throttling.ts'
import type { Said } from '../../elsewhere/split.ts'
import { isStorable } from '../../ledger/text.ts'
import {
  BlockedPurgeError,
  type OutcomeCounts,
  type PathFailure,
  PermanentPurgeError,
  type PurgeMessage,
  RetryablePurgeError,
  ThrottledPurgeError,
} from '../../purger.ts'
import { keptReceipt, type Receipt, receiptKey } from './messages.ts'
import type { Outcomes, Plan, Progress } from './plan.ts'

export interface Account {
  /** Tasks without a receipt. */
  readonly outstanding: readonly number[]
  /** Receipts of tasks that are not done. */
  readonly failed: readonly Receipt[]
  readonly counts: OutcomeCounts
  /** Files were left to the server. */
  readonly left: boolean
  /** All that the receipts say, with those of older generations; null once these were found to be wrong. */
  readonly said: Outcomes | null
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
    said: plan.said && addReceipts(plan.said, all),
  }
}

/**
 * How many of the files the consumers have deleted, when what they say comes to as many files as the table has; otherwise
 * undefined. That all are gone has to be seen.
 */
export function saidOf({ entries, left }: Plan, said: Outcomes | null): Said | undefined {
  if (!said || left || said.settled !== entries) return undefined
  const { deleted, bytes } = said
  // Whoever does not count bytes says 0.
  return { deleted, bytes: bytes === 0 && deleted > 0 ? undefined : bytes }
}

/** How far a generation has come, some of whose tasks failed. */
export function progressOf(failed: readonly Receipt[]): Progress {
  return { tasks: failed.length, done: failed.reduce((sum, { counts }) => sum + settledOf(counts), 0) }
}

/**
 * The failures that the receipts name, for people to see: what a consumer says is no reason to delete anything. Those that the
 * ledger cannot hold are left out.
 */
export function namedFailures(failed: readonly Receipt[]): PathFailure[] {
  return failed
    .flatMap(({ failures }) => failures)
    .filter(({ path }) => isStorable(path))
    .map(({ path, outcome, code, message }) => ({ path, stage: 'data', outcome, code, message }))
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
  if (unfinished === 0 && errors.length === 0) return new BlockedPurgeError(text)
  return failed.every(isPatienceAll) ? new ThrottledPurgeError(text) : new RetryablePurgeError(text)
}

/** Whether all that a receipt complains of, but for what the store forbids, is that the store asks for patience. */
function isPatienceAll({ counts, error, failures }: Receipt): boolean {
  if (error !== null && !isThrottled({ name: error.code, message: error.message })) return false
  const named = failures.filter(({ outcome }) => outcome === 'failed')
  return (counts.failed === 0 || named.length > 0) && named.every(({ code }) => isThrottlingCode(code))
}

function addReceipts(said: Outcomes, receipts: readonly Receipt[]): Outcomes {
  const sum = (of: (receipt: Receipt) => number) => receipts.reduce((soFar, each) => soFar + of(each), 0)
  return {
    deleted: said.deleted + sum(({ counts }) => counts.deleted),
    bytes: said.bytes + sum(({ bytes }) => bytes),
    settled: said.settled + sum((each) => (isFailed(each) ? 0 : settledOf(each.counts))),
  }
}

function settledOf({ deleted, absent, kept }: Receipt['counts']): number {
  return deleted + absent + kept
}

function isFailed({ counts, error }: Receipt): boolean {
  return error !== null || counts.blocked > 0 || counts.failed > 0
}
