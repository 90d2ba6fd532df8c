/**
 * Access to the files of one warehouse. One small interface, one folder per store (`local/`, `s3/`), one
 * contract suite (`src/testing/file-io-contract.ts`) that every implementation passes against a real store.
 *
 * Locations are full URIs (`s3://bucket/key`, `file:///path`, `/path`), literal: nothing is percent-decoded,
 * `?`, `#` and `+` are part of the key (docs in `location.ts`).
 */
export interface FileIO {
  readonly capabilities: FileIOCapabilities
  /** The whole file. Throws {@link FileNotFoundError}, {@link FileAccessError}, {@link FileTooLargeError}. */
  read(location: string, options?: ReadOptions): Promise<Buffer>
  /** The file as a stream of chunks, in order; for files that may be large. Throws as {@link read} does, on first pull. */
  readStream(location: string, options?: ReadOptions): AsyncIterable<Buffer>
  /**
   * Creates the file with these bytes, durable when the promise resolves: all of it or nothing is visible.
   * With `ifAbsent`, throws {@link FileExistsError} when the file is there already (where the store can tell: see
   * `capabilities.conditionalWrite`).
   */
  write(
    location: string,
    bytes: Uint8Array,
    options?: { ifAbsent?: boolean; signal?: AbortSignal },
  ): Promise<void>
  /**
   * Copies a file within the store, without its bytes passing through this process where the store can do so; replaces
   * what is at `to`. Throws {@link FileNotFoundError}, {@link FileAccessError}. S3 copies at most 5 GiB at once.
   */
  copy(from: string, to: string, options?: { signal?: AbortSignal }): Promise<void>
  /** Size and time of a file, or undefined when it is absent. */
  stat(location: string, options?: ReadOptions): Promise<FileInfo | undefined>
  /**
   * Every file below a directory-like location, in pages, streamed. The location is taken as whole segments:
   * listing `…/test` never yields `…/test2/x`. An absent location yields nothing. A missing bucket throws.
   */
  list(location: string, options?: ReadOptions): AsyncIterable<FileInfo>
  /**
   * Deletes files, in bulk where the store can. The answer holds one outcome for every given location, in the
   * given order; it never throws for a single file. Any number of locations may be given; the implementation
   * cuts them into the store's batches (S3: 1,000), bounded in flight. Per-key errors that may pass are retried
   * before they are reported. Throws only when nothing can be said of any file (signal aborted, bucket missing).
   */
  deleteFiles(locations: readonly string[], options?: DeleteOptions): Promise<DeleteOutcome[]>
  /**
   * Every version and delete marker below a directory-like location, also of files that are deleted; as {@link list}
   * does it. Missing where a store keeps none.
   */
  listVersions?(location: string, options?: ReadOptions): AsyncIterable<FileVersion>
  /** Local stores: removes directories that are empty below and at `location`. Elsewhere a no-op. */
  removeEmptyDirectories(location: string): Promise<void>
  /** Settings of the store that limit what a deletion means. Missing where there are none, as on local disks. */
  storeSettings?(location: string): Promise<StoreSettings>
  /**
   * Has the next request ask anew for credentials that somebody else keeps and may have replaced; called at the beginning
   * of every attempt at a purge. Those that the store refuses are asked for anew without it. Missing where there are none.
   */
  renewCredentials?(): Promise<void>
  close(): Promise<void>
}

export interface FileIOCapabilities {
  /** `stat` costs microseconds, not a network round trip. */
  readonly cheapStat: boolean
  /** `write` with `ifAbsent` is atomic. */
  readonly conditionalWrite: boolean
  /** Directories exist as such and have to be made and removed. */
  readonly directories: boolean
  /** Files that the store deletes in one request. */
  readonly deleteBatchSize: number
}

/** `unknown` where the store does not say, or may not be asked. */
export interface StoreSettings {
  /** `s3://bucket`. */
  readonly container: string
  /** `enabled` or `suspended`: deleted objects stay, or may stay, as non-current versions. */
  readonly versioning: 'enabled' | 'suspended' | 'off' | 'unknown'
  readonly objectLock: 'enabled' | 'off' | 'unknown'
}

export interface ReadOptions {
  signal?: AbortSignal
  /** Refuse larger files with {@link FileTooLargeError}. Bytes. */
  maxBytes?: number
}

export interface DeleteOptions {
  signal?: AbortSignal
  /**
   * Called whenever the store asks for fewer requests (SlowDown, 503, 429) or a request times out, before it is tried
   * again. `retryAfter` in milliseconds, where the store says so.
   */
  onThrottle?: (retryAfter: number | undefined) => void
  /** For each location the version that is deleted, for good, of those that `listVersions` gives. */
  versions?: readonly string[]
}

export interface FileInfo {
  readonly location: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number
}

/** A version of a file in a store that keeps them, or the marker that hides them. */
export interface FileVersion {
  readonly location: string
  /** The store's name of the version. */
  readonly version: string
  /** Bytes; 0 for a delete marker. */
  readonly size: number
}

/**
 * What became of one file. `deleted`: it is gone (S3 says this of a key that was never there, too).
 * `absent`: the store knows that there was nothing. `blocked`: the store forbids it (permission, object lock,
 * legal hold, a location outside of what the warehouse may touch). `failed`: it may be there still.
 */
export type DeleteOutcome =
  | { readonly outcome: 'deleted' | 'absent' }
  | { readonly outcome: 'blocked' | 'failed'; readonly code: string; readonly message: string }

/** Common base: names the location, never holds credentials. */
export class FileError extends Error {
  readonly location: string
  constructor(name: string, location: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = name
    this.location = location
  }
}

/** The file does not exist. */
export class FileNotFoundError extends FileError {
  constructor(location: string, cause?: unknown) {
    super('FileNotFoundError', location, `File does not exist: ${location}`, cause)
  }
}

/** `write` with `ifAbsent`, and the file is there. */
export class FileExistsError extends FileError {
  constructor(location: string, cause?: unknown) {
    super('FileExistsError', location, `File already exists: ${location}`, cause)
  }
}

/** The store refused: credentials, permission, or a location outside of what this warehouse may touch. */
export class FileAccessError extends FileError {
  constructor(location: string, message: string, cause?: unknown) {
    super('FileAccessError', location, message, cause)
  }
}

/** The location's scheme or form is not one that this store serves. */
export class InvalidLocationError extends FileError {
  constructor(location: string, message: string) {
    super('InvalidLocationError', location, message)
  }
}

/** Larger than the caller allowed. */
export class FileTooLargeError extends FileError {
  constructor(location: string, maxBytes: number) {
    super('FileTooLargeError', location, `File is larger than ${maxBytes} bytes: ${location}`)
  }
}

/** The store did not answer, or answered with an error that may pass (after the retries of the store's client). */
export class StorageUnavailableError extends FileError {
  constructor(location: string, message: string, cause?: unknown) {
    super('StorageUnavailableError', location, message, cause)
  }
}
