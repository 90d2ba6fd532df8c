import { randomUUID } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import type { WarehouseConfig } from '../../config/config.ts'
import { FileAccessError, type FileIO } from '../../storage/file-io.ts'
import { joinLocation, localPath } from '../../storage/location.ts'
import { openFileIO } from '../../storage/open.ts'
import { existingFolder } from '../database-file.ts'
import { formatBytes } from '../style.ts'
import { error, type Finding, ok, reasonOf, warning } from './finding.ts'

/** Free bytes below which a disk is mentioned. */
const littleSpace = 2 ** 30

/** Writes, reads, lists and deletes a small file in the warehouse, and looks at what else decides whether purges work. */
export async function* checkStorage(warehouse: WarehouseConfig): AsyncGenerator<Finding> {
  let io: FileIO
  try {
    io = openFileIO(warehouse.storage, warehouse.location)
  } catch (thrown) {
    yield error(`cannot be opened: ${reasonOf(thrown)}`, 'Correct the section storage of this warehouse.')
    return
  }
  let isReached = false
  try {
    for await (const finding of checkFile(io, warehouse)) {
      if (finding.level === 'ok') isReached = true
      yield finding
    }
  } finally {
    await io.close()
  }
  // A store that refused the very first thing would refuse the rest with the same words.
  if (!isReached) return
  if (warehouse.storage.type === 's3') {
    const { checkBucket } = await import('./bucket.ts')
    yield* checkBucket(warehouse.storage, warehouse.location)
  } else {
    yield await checkSpace(localPath(warehouse.location))
  }
}

/** Ends when the file cannot be written; once it is there, it is deleted whatever happens to the other steps. */
async function* checkFile(io: FileIO, warehouse: WarehouseConfig): AsyncGenerator<Finding> {
  const folder = joinLocation(warehouse.location, `.moulin-doctor-${randomUUID()}`)
  const file = joinLocation(folder, 'probe')
  const bytes = Buffer.from('Written by `moulin doctor`; may be deleted.\n')
  try {
    await io.write(file, bytes)
  } catch (thrown) {
    yield error(`cannot be written: ${reasonOf(thrown)}`, advice(thrown, warehouse, 's3:PutObject'))
    return
  }
  yield ok('can be written')
  try {
    yield* step('read', 's3:GetObject', warehouse, async () => {
      const info = await io.stat(file)
      return info?.size === bytes.length && bytes.equals(await io.read(file))
    })
    yield* step('listed', 's3:ListBucket', warehouse, async () => {
      const listed = []
      for await (const info of io.list(folder)) listed.push(info.location)
      return listed.length === 1
    })
  } finally {
    yield* deleteProbe(io, file, warehouse)
    await io.removeEmptyDirectories(folder)
  }
}

async function* step(
  done: string,
  action: string,
  warehouse: WarehouseConfig,
  work: () => Promise<boolean>,
): AsyncGenerator<Finding> {
  try {
    yield (await work())
      ? ok(`can be ${done}`)
      : error(
          `cannot be ${done} as it was written: the store answered something else`,
          'Use a store that is consistent: what was written must be read and listed at once.',
        )
  } catch (thrown) {
    yield error(`cannot be ${done}: ${reasonOf(thrown)}`, advice(thrown, warehouse, action))
  }
}

async function* deleteProbe(io: FileIO, file: string, warehouse: WarehouseConfig): AsyncGenerator<Finding> {
  let reason: string
  try {
    const [result] = await io.deleteFiles([file])
    const isGone = (await io.stat(file)) === undefined
    if (result?.outcome === 'deleted' && isGone) {
      yield ok('can be erased from')
      return
    }
    reason = result !== undefined && 'message' in result ? result.message : 'the file is still there'
  } catch (thrown) {
    reason = reasonOf(thrown)
  }
  yield error(
    `cannot be erased from: ${reason}. Left behind: ${file}`,
    warehouse.storage.type === 's3'
      ? 'Allow s3:DeleteObject on the warehouse; without it every purge will fail.'
      : 'Let this user delete in the folder; without it every purge will fail.',
  )
}

function advice(thrown: unknown, { storage }: WarehouseConfig, action: string): string {
  if (storage.type === 'local') {
    return 'Let the user that runs Moulin read and write the folder, or set the warehouse to another location.'
  }
  return thrown instanceof FileAccessError
    ? `Check the name of the bucket, accessKeyId and secretAccessKey, and allow ${action} there.`
    : 'Check endpoint, region, pathStyleAccess and the name of the bucket, and that the store is up.'
}

async function checkSpace(path: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(existingFolder(path))
  const free = bavail * bsize
  return free >= littleSpace
    ? ok(`has ${formatBytes(free)} free`)
    : warning(`has only ${formatBytes(free)} free`, 'Make room: a full disk refuses commits.')
}
