/** Different reasons that are told. */
const maxReasons = 3

/** Answers of a broker that is there, and that no time will change. */
const refusals: ReadonlySet<unknown> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
])

interface Nested {
  readonly message?: string
  readonly errors?: readonly unknown[]
  readonly cause?: unknown
  /** Name of the broker's answer. */
  readonly apiId?: string
}

/** Whether a broker has refused it: otherwise it may only be away. */
export function isRefused(error: unknown): boolean {
  const { apiId, errors = [], cause } = error as Nested
  return refusals.has(apiId) || errors.some(isRefused) || (cause !== undefined && isRefused(cause))
}

/** What the client's error says, and why: its own text is often no more than how often it has tried. */
export function kafkaReason(error: unknown): string {
  const reasons = [...new Set(leavesOf(error))].slice(0, maxReasons)
  const text = messageOf(error)
  return [text, ...reasons.filter((reason) => reason !== text)].join(': ')
}

function leavesOf(error: unknown): string[] {
  const { errors = [], cause } = error as Nested
  const inner = cause === undefined ? errors : [...errors, cause]
  return inner.length > 0 ? inner.flatMap(leavesOf) : [messageOf(error)]
}

function messageOf(error: unknown): string {
  return (error as Nested).message ?? String(error)
}
