/** Answers of finished mutations, kept for replay under the client's Idempotency-Key. */
export interface IdempotencyTable {
  warehouse: string
  /** The client's key. */
  key: string
  /** SHA-256 of method, path, query and body: a key used for something else is refused. */
  fingerprint: string
  status: number
  /** JSON text of the answer's body; null for none. */
  body: string | null
  created_at: number
  expires_at: number
}
