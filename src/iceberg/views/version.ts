import { badRequest, IcebergError } from '../errors.ts'
import { type JsonValue, printJson } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import type { ViewRepresentation, ViewVersion } from './model.ts'

/** Throws BadRequestException; for two queries in one dialect IllegalArgumentException. */
export function parseViewVersion(value: JsonValue | undefined, what = 'view version'): ViewVersion {
  const fields = new Fields(value, what)
  const version: ViewVersion = {
    versionId: fields.int('version-id'),
    schemaId: fields.int('schema-id'),
    timestampMs: fields.long('timestamp-ms'),
    summary: fields.optionalStringMap('summary') ?? {},
    representations: fields.list('representations', parseRepresentation),
    defaultCatalog: fields.optionalString('default-catalog'),
    defaultNamespace: fields.strings('default-namespace'),
  }
  const dialects = new Set<string>()
  for (const { dialect } of version.representations) {
    const name = dialect.toLowerCase()
    if (dialects.has(name)) {
      throw new IcebergError(
        'IllegalArgumentException',
        `Invalid view version: Cannot add multiple queries for dialect ${name}`,
      )
    }
    dialects.add(name)
  }
  return version
}

function parseRepresentation(value: JsonValue, what: string): ViewRepresentation {
  const fields = new Fields(value, what)
  const type = fields.string('type').toLowerCase()
  if (type !== 'sql') throw badRequest(`Invalid ${what}: type must be "sql", but is ${JSON.stringify(type)}`)
  return { type, sql: fields.string('sql'), dialect: fields.string('dialect') }
}

export function viewVersionJson(version: ViewVersion): object {
  return {
    'version-id': version.versionId,
    'timestamp-ms': version.timestampMs,
    'schema-id': version.schemaId,
    summary: version.summary,
    'default-catalog': version.defaultCatalog,
    'default-namespace': version.defaultNamespace,
    representations: version.representations,
  }
}

/** Whether two versions behave the same: everything but id and time is equal. */
export function sameVersion(a: ViewVersion, b: ViewVersion): boolean {
  return content(a) === content(b)
}

function content({
  summary,
  representations,
  defaultCatalog,
  defaultNamespace,
  schemaId,
}: ViewVersion): string {
  const sortedSummary = Object.entries(summary).toSorted(([x], [y]) => (x < y ? -1 : 1))
  return printJson([sortedSummary, representations, defaultCatalog, defaultNamespace, schemaId])
}

/** Lower-case names of the dialects in which a version has a query. */
export function dialectsOf(version: ViewVersion): ReadonlySet<string> {
  return new Set(version.representations.map(({ dialect }) => dialect.toLowerCase()))
}
