/**
 * What goes over the topics: tasks to whoever erases, receipts back. JSON, one object a message; the schemas are
 * `schema/kafka/*.json`, explained in docs/reference/kafka-messages.md. A reader passes over members that it does not know; what
 * changes the meaning of the known ones gets another version.
 */
import { maxBody } from '../../ledger/messages.ts'

/** Version of both messages. */
export const version = 1

/** A part of the data stage of one purge: the files that some of its manifests list. */
export interface Task {
  readonly version: typeof version
  /** UUID of the purge. */
  readonly purge: string
  /** Fencing: tasks of an older generation of the same purge are not to be worked on any more. */
  readonly generation: number
  /** Names the task within the purge, in every generation. */
  readonly task: number
  readonly warehouse: string
  readonly namespace: readonly string[]
  /** Name of the dropped table. */
  readonly name: string
  /** `table-uuid`; null for a table that has none. */
  readonly uuid: string | null
  /** The metadata file. It, the manifest lists and the manifests are the server's to erase, not the task's. */
  readonly root: string
  /** The table's own locations. */
  readonly locations: readonly string[]
  /** Places of others inside the own locations: whatever lies in one of them stays. */
  readonly keep: readonly string[]
  /** RFC 3339: who cannot ask the ledger erases nothing after this time. */
  readonly until: string
  readonly manifests: readonly TaskManifest[]
}

export interface TaskManifest {
  readonly path: string
  /** Bytes; null where the manifest list does not say. */
  readonly length: number | null
  /** Entries that it must have; null where the manifest list does not say. */
  readonly entries: number | null
}

/** What became of a task. */
export interface Receipt {
  readonly version: typeof version
  readonly purge: string
  readonly generation: number
  readonly task: number
  /** Who did it; for people. */
  readonly consumer: string
  readonly counts: ReceiptCounts
  /** Bytes of the files that were deleted, as the manifests state them. */
  readonly bytes: number
  /** Some of the files that are counted as blocked or failed. */
  readonly failures: readonly ReceiptFailure[]
  /** Why the task was given up; null when every file was dealt with. */
  readonly error: ReceiptError | null
}

/** Files by outcome. */
export interface ReceiptCounts {
  readonly deleted: number
  /** The store says that there was nothing. */
  readonly absent: number
  /** Inside a place of others. */
  readonly kept: number
  /** The store forbids it. */
  readonly blocked: number
  readonly failed: number
  /** Outside the own locations, where only the server knows what is others': left to it. */
  readonly left: number
}

export interface ReceiptFailure {
  readonly path: string
  readonly outcome: 'blocked' | 'failed'
  readonly code: string
  readonly message: string
}

export interface ReceiptError {
  readonly code: string
  readonly message: string
  /** No attempt can succeed as things stand. */
  readonly permanent: boolean
}

/** A message that is not what its schema says. */
export class InvalidMessageError extends Error {
  override readonly name = 'InvalidMessageError'
}

/** Names a task among all: the key of its messages. */
export function messageKey({ purge, generation, task }: Receipt | Task): string {
  return `${purge}/${receiptKey(generation, task)}`
}

/** Names a receipt within its purge; with no task, what the names of a generation begin with. */
export function receiptKey(generation: number, task: number | ''): string {
  return `${generation}/${task}`
}

/** The receipt as the ledger can hold it: without the names of failures where they are too long. */
export function storableReceipt(receipt: Receipt): Receipt {
  return Buffer.byteLength(JSON.stringify(receipt)) <= maxBody ? receipt : { ...receipt, failures: [] }
}

/** Throws {@link InvalidMessageError} that names the member. */
export function parseTask(bytes: Uint8Array): Task {
  const task = parseObject(bytes)
  for (const member of ['purge', 'warehouse', 'name', 'root', 'until']) text(task, member)
  for (const member of ['generation', 'task']) count(task, member)
  for (const member of ['namespace', 'locations', 'keep'])
    list(task, member, (each) => typeof each === 'string')
  if (task.uuid !== null) text(task, 'uuid')
  if (Number.isNaN(Date.parse(text(task, 'until')))) throw invalid('until', 'a time of RFC 3339')
  list(task, 'manifests', (each) => isObject(each) && typeof each.path === 'string' && isSized(each))
  return task as unknown as Task
}

/** Throws {@link InvalidMessageError} that names the member. */
export function parseReceipt(bytes: Uint8Array): Receipt {
  return receiptOf(parseObject(bytes))
}

/** A receipt that the ledger has kept, or undefined for what is none. */
export function keptReceipt(body: unknown): Receipt | undefined {
  try {
    return receiptOf(body)
  } catch (error) {
    if (error instanceof InvalidMessageError) return undefined
    throw error
  }
}

function receiptOf(value: unknown): Receipt {
  const receipt = ofThisVersion(value)
  for (const member of ['purge', 'consumer']) text(receipt, member)
  for (const member of ['generation', 'task', 'bytes']) count(receipt, member)
  if (!isObject(receipt.counts)) throw invalid('counts', 'an object')
  for (const outcome of ['deleted', 'absent', 'kept', 'blocked', 'failed', 'left'])
    count(receipt.counts, outcome)
  list(receipt, 'failures', isFailure)
  if (receipt.error !== null && !isError(receipt.error)) throw invalid('error', 'null or an error')
  return receipt as unknown as Receipt
}

function isFailure(value: unknown): boolean {
  if (!isObject(value) || (value.outcome !== 'blocked' && value.outcome !== 'failed')) return false
  return [value.path, value.code, value.message].every((each) => typeof each === 'string')
}

function isError(value: unknown): boolean {
  if (!isObject(value) || typeof value.permanent !== 'boolean') return false
  return [value.code, value.message].every((each) => typeof each === 'string')
}

function isSized({ length, entries }: Record<string, unknown>): boolean {
  return [length, entries].every((each) => each === null || isCount(each))
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString()) as unknown
  } catch (error) {
    throw new InvalidMessageError('The message is no JSON.', { cause: error })
  }
  return ofThisVersion(value)
}

function ofThisVersion(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw new InvalidMessageError('The message is no JSON object.')
  if (value.version !== version) throw invalid('version', `${version}: the other side is of another release`)
  return value
}

function text(value: Record<string, unknown>, member: string): string {
  const found = value[member]
  // PostgreSQL takes no zero character, not even to look for.
  if (typeof found !== 'string' || found === '' || found.includes('\0')) throw invalid(member, 'a text')
  return found
}

function count(value: Record<string, unknown>, member: string): void {
  if (!isCount(value[member])) throw invalid(member, 'an integer from 0')
}

function list(value: Record<string, unknown>, member: string, isOne: (each: unknown) => boolean): void {
  const found = value[member]
  if (!Array.isArray(found) || !found.every(isOne)) throw invalid(member, 'a list of what its schema says')
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(member: string, expected: string): InvalidMessageError {
  return new InvalidMessageError(`The message's ${member} is not ${expected}.`)
}
