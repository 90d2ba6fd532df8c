import { badRequest } from '../errors.ts'
import { JsonError, type JsonValue, parseJson } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import { parseSchema } from '../metadata/schema.ts'
import type { ViewMetadata } from './model.ts'
import { parseViewVersion } from './version.ts'

/** Parses view metadata. Throws BadRequestException naming what is wrong; a format version above 1 is refused. */
export function parseViewMetadata(json: JsonValue | Buffer): ViewMetadata {
  const fields = new Fields(Buffer.isBuffer(json) ? parseText(json) : json, 'view metadata')
  const formatVersion = fields.int('format-version')
  if (formatVersion !== 1) {
    throw badRequest(`Cannot read unsupported view format version ${formatVersion}: supported is 1`)
  }
  const metadata: ViewMetadata = {
    formatVersion,
    viewUuid: fields.string('view-uuid'),
    location: fields.string('location'),
    schemas: fields.list('schemas', parseSchema),
    currentVersionId: fields.int('current-version-id'),
    versions: fields.list('versions', parseViewVersion),
    versionLog: fields.list('version-log', (value, what) => {
      const entry = new Fields(value, what)
      return { timestampMs: entry.long('timestamp-ms'), versionId: entry.int('version-id') }
    }),
    properties: fields.optionalStringMap('properties') ?? {},
  }
  const current = metadata.versions.find(({ versionId }) => versionId === metadata.currentVersionId)
  if (!current) {
    throw badRequest(
      `Invalid view metadata: current-version-id ${metadata.currentVersionId} is not in versions`,
    )
  }
  if (!metadata.schemas.some(({ schemaId }) => schemaId === current.schemaId)) {
    throw badRequest(
      `Invalid view metadata: schema ${current.schemaId} of the current version is not in schemas`,
    )
  }
  return metadata
}

function parseText(json: Buffer): JsonValue {
  try {
    return parseJson(json)
  } catch (error) {
    if (error instanceof JsonError) throw badRequest(`Invalid view metadata: ${error.message}`, error)
    throw error
  }
}
