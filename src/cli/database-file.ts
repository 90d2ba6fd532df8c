import { accessSync, constants, existsSync } from 'node:fs'
import { dirname } from 'node:path'

/** The file of a `sqlite:` URL that the configuration has made absolute; undefined for another database. */
export function sqliteFile(url: string): string | undefined {
  return url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : undefined
}

/** Nearest folder at or above a path that exists. */
export function existingFolder(path: string): string {
  return existsSync(path) ? path : existingFolder(dirname(path))
}

export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
