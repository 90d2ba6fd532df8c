import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FileAccessError } from '../file-io.ts'
import { localPath } from '../location.ts'

/** Real directories by path, remembered while one operation runs: deleting a thousand files asks for a folder once. */
export type RealDirectories = Map<string, Promise<string>>

/**
 * Keeps a local storage inside its roots. A metadata file is untrusted input: it may name `/etc/passwd`, climb with
 * `..`, or go through a symbolic link. Paths are resolved, then the real directory is compared. A root itself may be
 * reached through links.
 */
export class Confinement {
  readonly #roots: readonly string[]

  /** @param locations local locations; throws InvalidLocationError for any other. */
  constructor(locations: readonly string[]) {
    this.#roots = locations.map(localPath)
  }

  /**
   * The path of a file, whose directory is inside; the file itself may be a link, which is not to be followed. Throws
   * FileAccessError when it lies outside, InvalidLocationError when it is not local.
   */
  async file(location: string, known: RealDirectories = new Map()): Promise<string> {
    const path = this.#named(location)
    const directory = dirname(path)
    const real = await remembered(directory, known)
    await this.#requireInside(location, join(real, path.slice(directory.length)), known)
    return path
  }

  /** The path of a directory, itself inside wherever links lead. Throws as {@link file} does. */
  async directory(location: string): Promise<string> {
    const path = this.#named(location)
    await this.#requireInside(location, await realDirectory(path), new Map())
    return path
  }

  #named(location: string): string {
    const path = localPath(location)
    if (!this.#roots.some((root) => contains(root, path))) throw outside(location)
    return path
  }

  async #requireInside(location: string, real: string, known: RealDirectories): Promise<void> {
    if (this.#roots.some((root) => contains(root, real))) return
    const realRoots = await Promise.all(this.#roots.map((root) => remembered(root, known)))
    if (!realRoots.some((root) => contains(root, real))) throw outside(location)
  }
}

function remembered(directory: string, known: RealDirectories): Promise<string> {
  let real = known.get(directory)
  if (!real) {
    real = realDirectory(directory)
    known.set(directory, real)
  }
  return real
}

/** The real path of a directory; of one that does not exist, that of its nearest ancestor with the rest appended. */
async function realDirectory(directory: string): Promise<string> {
  try {
    return await realpath(directory)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const missing = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG'
    if (!missing || dirname(directory) === directory) throw error
    return join(await realDirectory(dirname(directory)), directory.slice(dirname(directory).length))
  }
}

function contains(root: string, path: string): boolean {
  return path === root || path.startsWith(root === '/' ? '/' : `${root}/`)
}

function outside(location: string): FileAccessError {
  return new FileAccessError(
    location,
    `Location is outside of what this warehouse may touch: ${location}. To allow it, add its folder to storage.allowedLocations of the warehouse.`,
  )
}
