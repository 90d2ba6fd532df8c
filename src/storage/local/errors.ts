import {
  type DeleteOutcome,
  FileAccessError,
  FileError,
  FileExistsError,
  FileNotFoundError,
  StorageUnavailableError,
} from '../file-io.ts'

/** A name too long for the file system is the name of no file. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])
const forbidden = new Set(['EACCES', 'EPERM', 'EROFS', 'ELOOP'])

/** An error of the operating system as one of the storage's kinds. */
export function fileError(location: string, error: unknown): unknown {
  if (error instanceof FileError) return error
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (absent.has(code)) return new FileNotFoundError(location, error)
  if (code === 'EEXIST') return new FileExistsError(location, error)
  if (forbidden.has(code)) {
    return new FileAccessError(location, `The file system refuses access (${code}): ${location}`, error)
  }
  if (code === '') return error
  return new StorageUnavailableError(location, `The file system answered ${code}: ${location}`, error)
}

/** What it means for a deletion. */
export function deleteOutcome(error: unknown): DeleteOutcome {
  if (error instanceof FileAccessError) {
    return { outcome: 'blocked', code: 'OutsideAllowedLocations', message: error.message }
  }
  if (error instanceof FileError) return { outcome: 'failed', code: error.name, message: error.message }
  const { code = 'Unknown', message } = error as NodeJS.ErrnoException
  if (absent.has(code)) return { outcome: 'absent' }
  return { outcome: forbidden.has(code) ? 'blocked' : 'failed', code, message }
}
