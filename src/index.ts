/** Moulin as a library: start a server, read a configuration, write a purger. */
export type * from './config/config.ts'
export { type LoadOptions, loadConfig, parseConfig } from './config/load.ts'
export { ConfigError, type KeyPath, type Problem } from './config/problems.ts'
export { type Clock, systemClock } from './purge/clock.ts'
export type { DoomedFile } from './purge/deletion/batch.ts'
export type { EraseOptions, Portion } from './purge/deletion/erase-files.ts'
export { closeDataStage } from './purge/elsewhere/close-data-stage.ts'
export { doomedData, StillThereError, verifyErased } from './purge/elsewhere/erased-elsewhere.ts'
export { ownPlaces } from './purge/elsewhere/own-places.ts'
export { type DataStage, type EraseReachOptions, eraseReach } from './purge/erase-reach.ts'
export {
  type Attachment,
  BlockedPurgeError,
  type Done,
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
  type PurgeCallback,
  type PurgeLocation,
  type PurgeMessage,
  type PurgeRequest,
  type PurgeResult,
  type PurgeRun,
  type PurgerContext,
  RetryablePurgeError,
  type Stage,
  stages,
  type Tally,
  ThrottledPurgeError,
  UnauthenticMessageError,
} from './purge/purger.ts'
export { type ReachPart, walkReach } from './purge/walk-reach.ts'
export { type Moulin, startMoulin } from './server/moulin.ts'
export {
  type DeleteOptions,
  type DeleteOutcome,
  FileAccessError,
  FileError,
  FileExistsError,
  type FileInfo,
  type FileIO,
  type FileIOCapabilities,
  FileNotFoundError,
  FileTooLargeError,
  type FileVersion,
  InvalidLocationError,
  type ReadOptions,
  StorageUnavailableError,
  type StoreSettings,
} from './storage/file-io.ts'
export { forwardFileIO } from './storage/forward.ts'
export { LocalFileIO } from './storage/local/local-file-io.ts'
export { S3FileIO } from './storage/s3/s3-file-io.ts'
