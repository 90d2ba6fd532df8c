/** SQLSTATE of an error that the PostgreSQL server itself has sent, or undefined for one of the connection. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** Serialization failure or deadlock: the transaction is rolled back and may be repeated. */
export function isRepeatable(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

/** True when no answer came from the server: refused, timed out, terminated; or the server is going down. */
export function isConnectionFailure(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return /^(08|57P0|53300)/.test(state)
  return !(error instanceof TypeError || error instanceof RangeError)
}

/**
 * What is known after COMMIT failed. Integrity violations (class 23), rolled back transactions (40) and aborted ones
 * (25, Kysely's AbortedTransactionError) did not commit. After anything else (the connection broke, the server was
 * told to stop, a timeout) it may have.
 */
export function commitOutcome(error: unknown): 'rolled back' | 'unknown' {
  if ((error as Error | null)?.name === 'AbortedTransactionError') return 'rolled back'
  return /^(23|25|40)/.test(sqlState(error) ?? '') ? 'rolled back' : 'unknown'
}
