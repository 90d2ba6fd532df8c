import { randomUUID } from 'node:crypto'
import { link, mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file that is whole, and on the disk, when the promise resolves: temporary file, fsync, rename (or link,
 * which fails with EEXIST when the name is taken), fsync of the directory. Folders are made.
 */
export async function writeDurably(path: string, bytes: Uint8Array, ifAbsent: boolean): Promise<void> {
  const directory = dirname(path)
  await makeDirectory(directory)
  const temporary = `${directory}/.${randomUUID()}.tmp`
  try {
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    if (ifAbsent) await link(temporary, path)
    else await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(ignoreAbsent)
    throw error
  }
  if (ifAbsent) await unlink(temporary)
  await syncDirectory(directory)
}

/** Makes the directory, and sees to it that a new one is still there after a power cut. */
async function makeDirectory(directory: string): Promise<void> {
  const firstMade = await mkdir(directory, { recursive: true })
  if (firstMade === undefined) return
  for (let made = directory; made.length >= firstMade.length; made = dirname(made)) {
    await syncDirectory(dirname(made))
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
