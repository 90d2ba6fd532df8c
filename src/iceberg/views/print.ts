import { printJson } from '../json/exact-json.ts'
import { schemaJson } from '../metadata/schema.ts'
import type { ViewMetadata } from './model.ts'
import { viewVersionJson } from './version.ts'

/** View metadata as JSON text. */
export function printViewMetadata(metadata: ViewMetadata): string {
  return printJson({
    'view-uuid': metadata.viewUuid,
    'format-version': metadata.formatVersion,
    location: metadata.location,
    schemas: metadata.schemas.map(schemaJson),
    'current-version-id': metadata.currentVersionId,
    versions: metadata.versions.map(viewVersionJson),
    'version-log': metadata.versionLog.map((entry) => ({
      'timestamp-ms': entry.timestampMs,
      'version-id': entry.versionId,
    })),
    properties: metadata.properties,
  })
}
