import {
  type DeleteOutcome,
  FileAccessError,
  FileError,
  FileExistsError,
  FileNotFoundError,
  InvalidLocationError,
  StorageUnavailableError,
} from '../file-io.ts'

/** A name too long for the file system is the name of no file. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])
const forbidden = new Set(['EACCES', 'EPERM', 'EROFS', 'ELOOP'])

/** An error of the operating system as one of the storage's kinds. A directory is no file. */
export function fileError(location: string, error: unknown): unknown {
  const { code = '', errno } = error as NodeJS.ErrnoException
  if (error instanceof FileError || errno === undefined) return error
  if (absent.has(code) || code === 'EISDIR') return new FileNotFoundError(location, error)
  if (code === 'EEXIST') return new FileExistsError(location, error)
  if (forbidden.has(code)) {
    return new FileAccessError(location, `The file system refuses access (${code}): ${location}`, error)
  }
  return new StorageUnavailableError(location, `The file system answered ${code}: ${location}`, error)
}

/** The same of a write, where a name that is taken, or cannot be, has another meaning. */
export function writeError(location: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === 'ENAMETOOLONG') {
    return new InvalidLocationError(location, `Longer than the file system allows: ${location}`)
  }
  if (code === 'EISDIR' || code === 'ENOTDIR' || (code === 'EEXIST' && syscall === 'mkdir')) {
    const message = `A directory is in the way of the file, or a file in that of a directory: ${location}`
    return new FileAccessError(location, message, error)
  }
  return fileError(location, error)
}

/** What it means for a deletion. */
export function deleteOutcome(error: unknown): DeleteOutcome {
  if (error instanceof FileAccessError) {
    return { outcome: 'blocked', code: 'OutsideAllowedLocations', message: error.message }
  }
  if (error instanceof InvalidLocationError) {
    return { outcome: 'blocked', code: 'InvalidLocation', message: error.message }
  }
  const { code = 'Unknown', message } = error as NodeJS.ErrnoException
  if (absent.has(code)) return { outcome: 'absent' }
  return { outcome: forbidden.has(code) ? 'blocked' : 'failed', code, message }
}
