import {
  type DeleteOutcome,
  FileAccessError,
  FileError,
  FileExistsError,
  FileNotFoundError,
  StorageUnavailableError,
} from '../file-io.ts'

/**
 * The store forbids it, and will tomorrow: a policy, object lock, a legal hold. MinIO answers InvalidRequest to a
 * deletion that its object lock refuses.
 */
const blocking = new Set([
  'AccessDenied',
  'AccessForbidden',
  'AllAccessDisabled',
  'InvalidRequest',
  'MethodNotAllowed',
  'ObjectLocked',
])

/** A 404 without one of these comes from something that is no object store, and tells nothing of the key. */
const absent = new Set(['NoSuchKey', 'NoSuchVersion'])

/** No other attempt helps. Codes that nobody knows are tried again: trying costs little, giving up leaks. */
const permanent = new Set(['KeyTooLongError', 'XMinioInvalidObjectName', 'InvalidArgument', 'InvalidURI'])

/** They say who asks, whatever the key. */
const credentials = new Set([
  'AccountProblem',
  'AuthorizationHeaderMalformed',
  'CredentialsProviderError',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidToken',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
])

const unanswered = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'])

interface ServiceError {
  readonly name?: string
  readonly Code?: string
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** What S3 says of one key inside a 200 of DeleteObjects. */
export function keyOutcome(code: string, message: string): DeleteOutcome {
  if (absent.has(code)) return { outcome: 'absent' }
  return { outcome: blocking.has(code) ? 'blocked' : 'failed', code, message }
}

/** Whether a failed key is worth another request. */
export function isRetryable(outcome: DeleteOutcome): boolean {
  return outcome.outcome === 'failed' && !permanent.has(outcome.code)
}

/** Whether the store asks for fewer requests. */
export function isThrottled(outcome: DeleteOutcome): boolean {
  return outcome.outcome === 'failed' && /SlowDown|Throttl|ServiceUnavailable|RequestLimit/.test(outcome.code)
}

/**
 * Whether the store read the request and will not do it in this form: then it is not a fault that may pass. A 403 is
 * one, too: some stores forbid DeleteObjects where they allow each deletion, or refuse all keys for one that they forbid.
 */
export function isRefusal(error: unknown): boolean {
  const status = httpStatus(error)
  return (
    !refusesCredentials(error) && (status === 400 || isForbidden(error) || status === 405 || status === 501)
  )
}

/** Whether the store read the request, and found fault with what it holds. */
export function isBadRequest(error: unknown): boolean {
  return httpStatus(error) === 400
}

export function isForbidden(error: unknown): boolean {
  return httpStatus(error) === 403
}

/** Whether no answer came, or none that is whole. */
export function isUnanswered(error: unknown): boolean {
  return unanswered.has(errorCode(error)) || (error as Error).name === 'TimeoutError'
}

export function refusesCredentials(error: unknown): boolean {
  return credentials.has(errorCode(error)) || httpStatus(error) === 401
}

/** The service's error code, `NoSuchKey`, or that of Node.js, `ECONNREFUSED`; else the error's name. */
export function errorCode(error: unknown): string {
  const { Code, code, name } = error as ServiceError
  return Code ?? code ?? name ?? 'Unknown'
}

function httpStatus(error: unknown): number | undefined {
  return (error as ServiceError).$metadata?.httpStatusCode
}

/** An error of a whole request as one of the storage's kinds. Messages name the location, never credentials. */
export function fileError(location: string, error: unknown): unknown {
  if (error instanceof FileError || (error as Error).name === 'AbortError') return error
  const code = errorCode(error)
  if (code === 'NoSuchBucket') {
    return new FileAccessError(location, `The bucket does not exist: ${location}`, error)
  }
  if (absent.has(code)) return new FileNotFoundError(location, error)
  if (code === 'PreconditionFailed' || httpStatus(error) === 412) return new FileExistsError(location, error)
  if (refusesCredentials(error) || isForbidden(error)) {
    return new FileAccessError(location, `The object store refuses access (${code}): ${location}`, error)
  }
  const status = httpStatus(error)
  const reason = status === undefined || status === 200 ? code : `${code}, HTTP ${status}`
  return new StorageUnavailableError(
    location,
    `The object store did not do its work (${reason}): ${location}`,
    error,
  )
}
