import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface FileOnDisk {
  readonly bytes: number
  /** SHA-256 of the content, hexadecimal. */
  readonly hash: string
}

/** Every file below a folder with its content's hash, by absolute path, read from the disk and from nothing else. */
export async function takeInventory(folder: string): Promise<ReadonlyMap<string, FileOnDisk>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const inventory = new Map<string, FileOnDisk>()
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const content = await readFile(path)
    inventory.set(path, {
      bytes: content.length,
      hash: createHash('sha256').update(content).digest('hex'),
    })
  }
  return inventory
}
