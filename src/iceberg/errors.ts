/**
 * Every error that may reach a client of the Iceberg API, by the `type` that the REST specification (or
 * Iceberg Java's error handlers) gives it. The server writes them as `{"error":{message,type,code}}`.
 *
 * The split matters to clients: on 400/401/403/409 a committing client deletes the files it has just written,
 * on 500/502/503/504 it keeps them (`CommitStateUnknownException`). So: never throw a 4xx kind from a commit
 * that may have landed.
 */
export const errorStatus = {
  BadRequestException: 400,
  /** Iceberg Java's clients throw this type as such, where they check the same rule themselves. */
  IllegalArgumentException: 400,
  NotAuthorizedException: 401,
  ForbiddenException: 403,
  NoSuchWarehouseException: 404,
  NoSuchNamespaceException: 404,
  NoSuchTableException: 404,
  NoSuchViewException: 404,
  NoSuchPurgeException: 404,
  NoSuchCertificateException: 404,
  NoSuchRouteException: 404,
  /** The entry exists, the metadata file it names does not. */
  NotFoundException: 404,
  MethodNotAllowedException: 405,
  UnsupportedOperationException: 406,
  AlreadyExistsException: 409,
  CommitFailedException: 409,
  NamespaceNotEmptyException: 409,
  /** A location, or a metadata file, is taken by a table or by an unfinished purge. */
  LocationConflictException: 409,
  ConflictException: 409,
  PayloadTooLargeException: 413,
  UnsupportedMediaTypeException: 415,
  UnprocessableEntityException: 422,
  TooManyRequestsException: 429,
  InternalServerError: 500,
  CommitStateUnknownException: 500,
  /** The entry is dropped and its purge is in the ledger, but erasing (by a purger that DELETE waits for) failed. */
  PurgeFailedException: 500,
  ServiceUnavailableException: 503,
} as const

export type ErrorType = keyof typeof errorStatus

export interface IcebergErrorOptions {
  cause?: unknown
  /** Seconds after which the client may try again; sent as `Retry-After`. */
  retryAfterSeconds?: number
}

/** An error with a place in the Iceberg error envelope. The message is shown to the client: no secrets in it. */
export class IcebergError extends Error {
  readonly type: ErrorType
  /** HTTP status, 400 to 599. */
  readonly status: number
  readonly retryAfterSeconds: number | undefined

  constructor(type: ErrorType, message: string, options: IcebergErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = type
    this.type = type
    this.status = errorStatus[type]
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** True for an {@link IcebergError}, of the given type if one is given. */
export function isIcebergError(error: unknown, type?: ErrorType): error is IcebergError {
  return error instanceof IcebergError && (type === undefined || error.type === type)
}

/** Shorthand for the most frequent one. */
export function badRequest(message: string, cause?: unknown): IcebergError {
  return new IcebergError('BadRequestException', message, { cause })
}
