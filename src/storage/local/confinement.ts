import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FileAccessError } from '../file-io.ts'
import { localPath } from '../location.ts'

/** Real directories that are remembered, so that deleting a million files asks for each folder once. */
const rememberedDirectories = 10_000

/**
 * Keeps a local storage inside its roots. A metadata file is untrusted input: it may name `/etc/passwd`, climb with
 * `..`, or go through a symbolic link. Paths are resolved, then the real directory that holds the file is compared.
 */
export class Confinement {
  readonly #roots: readonly string[]
  #realRoots: readonly string[] | undefined
  readonly #realDirectories = new Map<string, string>()

  /** @param locations local locations; throws InvalidLocationError for any other. */
  constructor(locations: readonly string[]) {
    this.#roots = locations.map(localPath)
  }

  /** The path of a location. Throws FileAccessError when it lies outside, InvalidLocationError when it is not local. */
  async path(location: string): Promise<string> {
    const path = localPath(location)
    if (!this.#roots.some((root) => contains(root, path))) throw outside(location)
    const directory = await this.#realDirectory(dirname(path))
    const real = join(directory, path.slice(dirname(path).length))
    if (!this.#roots.some((root) => contains(root, real))) {
      const roots = await this.#resolveRoots()
      if (!roots.some((root) => contains(root, real))) throw outside(location)
    }
    return path
  }

  async #resolveRoots(): Promise<readonly string[]> {
    this.#realRoots ??= await Promise.all(this.#roots.map(realDirectory))
    return this.#realRoots
  }

  async #realDirectory(directory: string): Promise<string> {
    const known = this.#realDirectories.get(directory)
    if (known !== undefined) return known
    const real = await realDirectory(directory)
    if (this.#realDirectories.size >= rememberedDirectories) this.#realDirectories.clear()
    this.#realDirectories.set(directory, real)
    return real
  }
}

/** The real path of a directory; of one that does not exist, that of its nearest ancestor with the rest appended. */
async function realDirectory(directory: string): Promise<string> {
  try {
    return await realpath(directory)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || dirname(directory) === directory) throw error
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
