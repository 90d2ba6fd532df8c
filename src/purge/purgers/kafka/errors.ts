/** Different reasons that are told. */
const maxReasons = 3

interface Nested {
  readonly message?: string
  readonly errors?: readonly unknown[]
  readonly cause?: unknown
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
