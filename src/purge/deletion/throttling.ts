/** How stores say that they want fewer requests: only time helps, and no attempt is at fault. */
import { ThrottledPurgeError } from '../purger.ts'

const codes = /SlowDown|Throttl|TooManyRequests|RequestLimitExceeded|ServiceUnavailable/i
const statements = /SlowDown|HTTP (?:429|503)/

/** Whether a store's error code, of one path, asks for patience. */
export function isThrottlingCode(code: string): boolean {
  return codes.test(code)
}

/** Whether an error says that the store only asks for patience. */
export function isThrottled(error: { readonly name: string; readonly message: string }): boolean {
  if (error instanceof ThrottledPurgeError) return true
  return error.name === 'StorageUnavailableError' && statements.test(error.message)
}
