import { unfinished } from '../../database/twins.ts'
import type { TableMetadata } from '../../iceberg/metadata/model.ts'
import { canonicalLocation } from '../../storage/location.ts'
import type { CatalogContext } from './context.ts'
import { removeMetadata } from './metadata-files.ts'

/**
 * Deletes the metadata files that a commit has cut from the metadata log, when the table's property
 * `write.metadata.delete-after-commit.enabled` says so. A file that another entry or an unfinished purge has as its
 * root stays. Failures are logged: the commit has happened.
 */
export async function removeTrimmed(
  context: CatalogContext,
  base: TableMetadata | undefined,
  metadata: TableMetadata,
): Promise<void> {
  const enabled = metadata.properties['write.metadata.delete-after-commit.enabled']?.toLowerCase() === 'true'
  if (!base || !enabled) return
  const kept = new Set(metadata.metadataLog.map(({ metadataFile }) => metadataFile))
  const trimmed = base.metadataLog.map(({ metadataFile }) => metadataFile).filter((file) => !kept.has(file))
  if (trimmed.length === 0) return
  try {
    const roots = await rootsAmong(context, trimmed)
    await removeMetadata(
      context,
      trimmed.filter((file) => !roots.has(canonicalLocation(file))),
    )
  } catch (error) {
    context.logger.warn({ files: trimmed, err: error }, 'trimmed metadata files not deleted')
  }
}

async function rootsAmong(context: CatalogContext, files: readonly string[]): Promise<Set<string>> {
  const keys = files.map(canonicalLocation)
  const { reader } = context.database
  const live = await reader
    .selectFrom('entries')
    .select('metadata_key')
    .where('metadata_key', 'in', keys)
    .execute()
  const purged = await reader
    .selectFrom('purges')
    .select('metadata_key')
    .where('metadata_key', 'in', keys)
    .where(unfinished)
    .execute()
  return new Set([...live, ...purged].map(({ metadata_key }) => metadata_key))
}
