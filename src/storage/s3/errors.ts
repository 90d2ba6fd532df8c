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

/** Names of keys or versions that cannot be: there is nothing under them. */
const absent = new Set(['NoSuchKey', 'NoSuchVersion', 'NotFound'])

/** It may pass: try the key again. Unknown codes are tried again, too; trying costs little, giving up leaks. */
const permanent = new Set(['KeyTooLongError', 'XMinioInvalidObjectName', 'InvalidArgument', 'InvalidURI'])

const credentials = new Set([
  'AccessDenied',
  'AccountProblem',
  'AllAccessDisabled',
  'ExpiredToken',
  'Forbidden',
  'InvalidAccessKeyId',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'CredentialsProviderError',
])

interface ServiceError {
  readonly name?: string
  readonly Code?: string
  readonly message?: string
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

/** The service's error code: `NoSuchKey`, `SlowDown`; the error's name where there is none. */
export function errorCode(error: unknown): string {
  const { Code, name } = error as ServiceError
  return Code ?? name ?? 'Unknown'
}

/** An error of a whole request as one of the storage's kinds. Messages name the location, never credentials. */
export function fileError(location: string, error: unknown): unknown {
  if (error instanceof FileError || (error as Error).name === 'AbortError') return error
  const code = errorCode(error)
  const { $metadata } = error as ServiceError
  const status = $metadata?.httpStatusCode
  if (code === 'NoSuchBucket') {
    return new FileAccessError(location, `The bucket does not exist: ${location}`, error)
  }
  if (absent.has(code)) return new FileNotFoundError(location, error)
  if (code === 'PreconditionFailed' || status === 412) return new FileExistsError(location, error)
  if (credentials.has(code) || status === 401 || status === 403) {
    return new FileAccessError(location, `The object store refuses access (${code}): ${location}`, error)
  }
  return new StorageUnavailableError(
    location,
    `The object store did not do its work (${code}): ${location}`,
    error,
  )
}
