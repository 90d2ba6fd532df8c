/** Moulin as a library: start a server, read a configuration, write a purger. */
export type * from './config/config.ts'
export { type LoadOptions, loadConfig, parseConfig } from './config/load.ts'
export { ConfigError, type KeyPath, type Problem } from './config/problems.ts'
export {
  HeldPurgeError,
  type IcebergPurger,
  type IcebergPurgerFactory,
  type Inspection,
  type KeepRule,
  type Outcome,
  type OutcomeCounts,
  outcomes,
  type PathFailure,
  PermanentPurgeError,
  type Purge,
  type PurgeLocation,
  type PurgeMessage,
  type PurgeRequest,
  type PurgeResult,
  type PurgeRun,
  type PurgerContext,
  RetryablePurgeError,
  type Stage,
  stages,
} from './purge/purger.ts'
export { type Moulin, startMoulin } from './server/moulin.ts'
export {
  type DeleteOutcome,
  FileAccessError,
  FileError,
  FileExistsError,
  type FileInfo,
  type FileIO,
  FileNotFoundError,
  FileTooLargeError,
  InvalidLocationError,
  StorageUnavailableError,
} from './storage/file-io.ts'
