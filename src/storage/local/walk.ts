import { lstat, opendir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type FileInfo, InvalidLocationError } from '../file-io.ts'

/**
 * Every file below a directory, depth first, streamed. A symbolic link is listed as the file that it is and never
 * followed. What vanishes meanwhile is passed over. Throws InvalidLocationError for a name that is not UTF-8: no location
 * can name it, so that it cannot be deleted, and must not pass for gone.
 */
export async function* walk(directory: string, signal?: AbortSignal): AsyncGenerator<FileInfo> {
  const names = await opened(directory)
  if (!names) return
  for await (const entry of names) {
    signal?.throwIfAborted()
    const path = join(directory, entry.name)
    if (entry.name.includes('\ufffd')) await requireNamed(path)
    if (entry.isDirectory()) {
      yield* walk(path, signal)
      continue
    }
    const info = await fileInfo(path)
    if (info) yield info
  }
}

/** Node.js puts U+FFFD for bytes that are not UTF-8, and then nothing has that name; but it may also be a name's own. */
async function requireNamed(path: string): Promise<void> {
  try {
    await lstat(path)
  } catch (error) {
    if (!isAbsent(error)) throw error
    const message = `The name of a file is not UTF-8, which no location can hold. Rename it or remove it by hand: ${path}`
    throw new InvalidLocationError(`file://${path}`, message)
  }
}

/** Size and time of a file, a link's own; undefined when there is nothing, or a directory. */
export async function fileInfo(path: string): Promise<FileInfo | undefined> {
  try {
    const stats = await lstat(path)
    if (stats.isDirectory()) return undefined
    return { location: `file://${path}`, size: stats.size, modifiedAt: Math.trunc(stats.mtimeMs) }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** Removes the directories that are empty below and at `directory`. Whether that one is gone. */
export async function removeEmpty(directory: string): Promise<boolean> {
  const entries = await opened(directory)
  if (!entries) return true
  let empty = true
  for await (const entry of entries) {
    if (!entry.isDirectory() || !(await removeEmpty(join(directory, entry.name)))) empty = false
  }
  if (!empty) return false
  try {
    await rmdir(directory)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return true
    // Somebody has just written into it.
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false
    throw error
  }
}

async function opened(directory: string) {
  try {
    return await opendir(directory)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}
