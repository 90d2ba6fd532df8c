import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdir, open, rename, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file that is whole, and on the disk, when the promise resolves: temporary file, fsync, rename (or link,
 * which fails with EEXIST when the name is taken), fsync of the directory. Folders are made.
 */
export async function writeDurably(path: string, bytes: Uint8Array, ifAbsent: boolean): Promise<void> {
  await replaceDurably(path, ifAbsent, (temporary) => writeFile(temporary, bytes, { flag: 'wx' }))
}

/** Copies a file as {@link writeDurably} writes one; where the file system can, it shares the blocks. */
export async function copyDurably(from: string, to: string): Promise<void> {
  const mode = constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL
  await replaceDurably(to, false, (temporary) => copyFile(from, temporary, mode))
}

async function replaceDurably(
  path: string,
  ifAbsent: boolean,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const directory = dirname(path)
  await makeDirectory(directory)
  const temporary = `${directory}/.${randomUUID()}.tmp`
  try {
    await fill(temporary)
    await sync(temporary)
    if (ifAbsent) await link(temporary, path)
    else await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(ignoreAbsent)
    throw error
  }
  if (ifAbsent) await unlink(temporary)
  await sync(directory)
}

/** Makes the directory, and sees to it that a new one is still there after a power cut. */
async function makeDirectory(directory: string): Promise<void> {
  const firstMade = await mkdir(directory, { recursive: true })
  if (firstMade === undefined) return
  for (let made = directory; made.length >= firstMade.length; made = dirname(made)) {
    await sync(dirname(made))
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
