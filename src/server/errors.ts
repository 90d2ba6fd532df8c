import { CommitUnknownError } from '../database/database.ts'
import { badRequest, type ErrorType, IcebergError } from '../iceberg/errors.ts'
import { JsonError } from '../iceberg/json/exact-json.ts'
import {
  FileAccessError,
  FileNotFoundError,
  FileTooLargeError,
  InvalidLocationError,
  StorageUnavailableError,
} from '../storage/file-io.ts'

/** The error envelope of the REST specification. */
export interface ErrorBody {
  readonly error: { readonly message: string; readonly type: ErrorType; readonly code: number }
}

export function errorBody(error: IcebergError): ErrorBody {
  return { error: { message: error.message, type: error.type, code: error.status } }
}

/** Fastify's complaints about a request that no route has seen yet. */
const requestErrors: Readonly<Record<string, ErrorType>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'PayloadTooLargeException',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UnsupportedMediaTypeException',
}

/**
 * Any error as one of the Iceberg API. What is not known to be harmless becomes a 500 that tells nothing but the
 * request's id: the details are in the log.
 */
export function toIcebergError(error: unknown, requestId: string): IcebergError {
  if (error instanceof IcebergError) return error
  if (error instanceof JsonError)
    return badRequest(`The request's body cannot be parsed: ${error.message}`, error)
  if (error instanceof InvalidLocationError || error instanceof FileTooLargeError) {
    return badRequest(error.message, error)
  }
  if (error instanceof FileNotFoundError) {
    const message = `Failed to open input stream for file: ${error.location}`
    return new IcebergError('NotFoundException', message, { cause: error })
  }
  if (error instanceof FileAccessError) {
    return new IcebergError('ForbiddenException', error.message, { cause: error })
  }
  if (error instanceof StorageUnavailableError) {
    return new IcebergError('ServiceUnavailableException', error.message, {
      cause: error,
      retryAfterSeconds: 5,
    })
  }
  if (error instanceof CommitUnknownError) {
    const message =
      'The database did not confirm the change; it may have happened. Load again before repeating.'
    return new IcebergError('CommitStateUnknownException', message, { cause: error })
  }
  return frameworkError(error) ?? unexpected(error, requestId)
}

function frameworkError(error: unknown): IcebergError | undefined {
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string }
  if (typeof code !== 'string' || !code.startsWith('FST_') || statusCode === undefined || statusCode >= 500) {
    return undefined
  }
  const type = requestErrors[code] ?? 'BadRequestException'
  const remedy =
    type === 'PayloadTooLargeException'
      ? ' (server.maxBodyBytes)'
      : type === 'UnsupportedMediaTypeException'
        ? '; send application/json'
        : ''
  return new IcebergError(type, `${message}${remedy}`, { cause: error })
}

function unexpected(error: unknown, requestId: string): IcebergError {
  return new IcebergError(
    'InternalServerError',
    `Something went wrong in the server (request ${requestId}).`,
    {
      cause: error,
    },
  )
}
