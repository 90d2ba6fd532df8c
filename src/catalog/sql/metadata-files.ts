/** Writing and removing metadata files. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { badRequest, IcebergError } from '../../iceberg/errors.ts'
import { FileAccessError, InvalidLocationError } from '../../storage/file-io.ts'
import { joinLocation } from '../../storage/location.ts'
import type { CatalogContext } from './context.ts'
import { LazyDocument } from './documents.ts'
import type { Kind } from './kinds.ts'
import { checkLocation } from './locations.ts'

const compress = promisify(gzip)

/**
 * Prints metadata into a new file of its own: `<location>/metadata/<00000>-<uuid>.metadata.json`, the number one above
 * the previous file's; `write.metadata.path` and `write.metadata.compression-codec` are respected. Nobody sees the
 * file before the entry's pointer moves to it.
 *
 * Throws BadRequestException for properties that cannot be, ForbiddenException when the store refuses.
 */
export async function writeMetadata<M>(
  context: CatalogContext,
  kind: Kind<M>,
  metadata: M,
  previous: string | undefined,
): Promise<LazyDocument<M> & { readonly location: string }> {
  const properties = kind.properties(metadata)
  const compressed = isCompressed(properties['write.metadata.compression-codec'])
  const folder =
    properties['write.metadata.path']?.replace(/\/+$/, '') || `${kind.location(metadata)}/metadata`
  checkLocation(folder)
  const version = String(previous === undefined ? 0 : versionOf(previous) + 1).padStart(5, '0')
  const ending = compressed ? 'gz.metadata.json' : 'metadata.json'
  const location = joinLocation(folder, `${version}-${context.uuid()}.${ending}`)
  const json = Buffer.from(kind.print(metadata))
  try {
    await context.io.write(location, compressed ? await compress(json) : json, { ifAbsent: true })
  } catch (error) {
    if (error instanceof FileAccessError) {
      throw new IcebergError('ForbiddenException', error.message, { cause: error })
    }
    if (error instanceof InvalidLocationError) throw badRequest(error.message, error)
    // The answer may have been lost on the way back, with the file written.
    await removeMetadata(context, [location])
    throw error
  }
  return new LazyDocument(location, json, kind.parse, metadata) as LazyDocument<M> & {
    readonly location: string
  }
}

/** Deletes metadata files that no pointer names; a file that stays is logged and does no harm. */
export async function removeMetadata(context: CatalogContext, locations: readonly string[]): Promise<void> {
  if (locations.length === 0) return
  try {
    const outcomes = await context.io.deleteFiles(locations)
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.outcome === 'deleted' || outcome.outcome === 'absent') continue
      context.logger.warn({ location: locations[index], ...outcome }, 'unused metadata file not deleted')
    }
  } catch (error) {
    context.logger.warn({ locations, err: error }, 'unused metadata files not deleted')
  }
}

/** Iceberg Java's rule: the number before the first dash of the file's name; -1, hence 0 next, when there is none. */
function versionOf(metadataLocation: string): number {
  const name = metadataLocation.slice(metadataLocation.lastIndexOf('/') + 1)
  const digits = /^(\d{1,9})-/.exec(name)?.[1]
  return digits === undefined ? -1 : Number(digits)
}

function isCompressed(codec: string | undefined): boolean {
  switch (codec?.toLowerCase()) {
    case undefined:
    case 'none':
      return false
    case 'gzip':
      return true
    default:
      throw badRequest(`Unsupported write.metadata.compression-codec: ${codec}. Use none or gzip.`)
  }
}
