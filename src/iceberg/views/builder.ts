/** The rules by which view metadata changes. */
import { badRequest } from '../errors.ts'
import { type JsonValue, printJson } from '../json/exact-json.ts'
import { integerProperty } from '../metadata/properties.ts'
import { parseSchema, type Schema, sameSchema } from '../metadata/schema.ts'
import type { ViewLogEntry, ViewMetadata, ViewVersion } from './model.ts'
import type { ViewUpdate } from './updates.ts'
import { dialectsOf, parseViewVersion, sameVersion } from './version.ts'

export interface NewView {
  /** Parsed JSON of the request, as is the next. */
  readonly schema: unknown
  readonly viewVersion: unknown
  readonly location: string
  readonly properties: Readonly<Record<string, string>>
  readonly uuid: string
  readonly now: bigint
}

/** Metadata of a new view. Throws BadRequestException. */
export function newViewMetadata(view: NewView): ViewMetadata {
  const draft = new ViewDraft(undefined, view.location, view.uuid)
  const schemaId = draft.addSchema(parseSchema(view.schema as JsonValue | undefined))
  const version = parseViewVersion(view.viewVersion as JsonValue | undefined)
  draft.addVersion({ ...version, schemaId })
  draft.setCurrentVersion(-1, view.now)
  draft.properties = view.properties
  return draft.build()
}

/**
 * Applies a commit's updates in order. Gives the base itself when nothing changed effectively. Throws
 * BadRequestException; a version that drops a dialect is refused unless the property `replace.drop-dialect.allowed` is
 * true.
 */
export function applyViewUpdates(
  base: ViewMetadata,
  updates: readonly ViewUpdate[],
  context: { readonly now: bigint },
): ViewMetadata {
  const draft = new ViewDraft(base, base.location, base.viewUuid)
  for (const update of updates) apply(draft, update, context.now)
  return draft.changed ? draft.build() : base
}

function apply(draft: ViewDraft, update: ViewUpdate, now: bigint): void {
  switch (update.action) {
    case 'assign-uuid':
      if (update.uuid.toLowerCase() !== draft.uuid.toLowerCase()) throw badRequest('Cannot reassign uuid')
      return
    case 'upgrade-format-version':
      if (update.formatVersion < 1) throw badRequest(`Cannot downgrade v1 view to v${update.formatVersion}`)
      if (update.formatVersion > 1) throw badRequest(`Unsupported format version: ${update.formatVersion}`)
      return
    case 'add-schema':
      draft.addSchema(update.schema)
      return
    case 'set-location':
      draft.setLocation(update.location)
      return
    case 'set-properties':
      draft.setProperties({ ...draft.properties, ...update.updates })
      return
    case 'remove-properties':
      draft.setProperties(
        Object.fromEntries(
          Object.entries(draft.properties).filter(([name]) => !update.removals.includes(name)),
        ),
      )
      return
    case 'add-view-version':
      draft.addVersion(update.viewVersion)
      return
    case 'set-current-view-version':
      draft.setCurrentVersion(update.viewVersionId, now)
      return
  }
}

class ViewDraft {
  readonly #base: ViewMetadata | undefined
  readonly uuid: string
  changed = false
  properties: Readonly<Record<string, string>>
  #location: string
  #schemas: readonly Schema[]
  #versions: readonly ViewVersion[]
  #currentVersionId: number | undefined
  #logEntry: ViewLogEntry | undefined
  #lastAddedSchemaId: number | undefined
  #lastAddedVersionId: number | undefined
  readonly #addedVersionIds = new Set<number>()

  constructor(base: ViewMetadata | undefined, location: string, uuid: string) {
    this.#base = base
    this.uuid = uuid
    this.#location = location.replace(/\/+$/, '')
    this.properties = base?.properties ?? {}
    this.#schemas = base?.schemas ?? []
    this.#versions = base?.versions ?? []
    this.#currentVersionId = base?.currentVersionId
  }

  setLocation(location: string): void {
    const trimmed = location.replace(/\/+$/, '')
    if (trimmed === '') throw badRequest('Invalid location: must not be empty')
    if (trimmed === this.#location) return
    this.#location = trimmed
    this.changed = true
  }

  setProperties(properties: Readonly<Record<string, string>>): void {
    if (printJson(properties) === printJson(this.properties)) return
    this.properties = properties
    this.changed = true
  }

  /** The id under which the view knows the schema: that of an identical one, or a new one. */
  addSchema(schema: Schema): number {
    const known = this.#schemas.find((other) => sameSchema(other, schema))
    if (known) {
      this.#lastAddedSchemaId = known.schemaId
      return known.schemaId
    }
    const schemaId = Math.max(0, ...this.#schemas.map((other) => other.schemaId + 1))
    this.#schemas = [...this.#schemas, { ...schema, schemaId }]
    this.#lastAddedSchemaId = schemaId
    this.changed = true
    return schemaId
  }

  addVersion(requested: ViewVersion): void {
    const schemaId = requested.schemaId === -1 ? this.#lastAddedSchemaId : requested.schemaId
    if (schemaId === undefined) {
      throw badRequest('Cannot set last added schema: no schema has been added')
    }
    const version = { ...requested, schemaId }
    const known = this.#versions.find((other) => sameVersion(other, version))
    if (known) {
      this.#lastAddedVersionId = known.versionId
      return
    }
    if (!this.#schemas.some((schema) => schema.schemaId === schemaId)) {
      throw badRequest(`Cannot add version with unknown schema: ${schemaId}`)
    }
    const versionId = Math.max(version.versionId, ...this.#versions.map((other) => other.versionId + 1))
    if (versionId >= 2 ** 31) throw badRequest('Cannot add version: no version ids are left')
    this.#versions = [...this.#versions, { ...version, versionId }]
    this.#lastAddedVersionId = versionId
    this.#addedVersionIds.add(versionId)
    this.changed = true
  }

  setCurrentVersion(requested: number, now: bigint): void {
    const versionId = requested === -1 ? this.#lastAddedVersionId : requested
    if (versionId === undefined) {
      throw badRequest('Cannot set last version id: no current version id has been set')
    }
    if (versionId === this.#currentVersionId) return
    const version = this.#versions.find((other) => other.versionId === versionId)
    if (!version) throw badRequest(`Cannot set current version to unknown version: ${versionId}`)
    this.#currentVersionId = versionId
    const added = this.#addedVersionIds.has(versionId)
    this.#logEntry = { timestampMs: added ? version.timestampMs : now, versionId }
    this.changed = true
  }

  build(): ViewMetadata {
    const current = this.#versions.find(({ versionId }) => versionId === this.#currentVersionId)
    if (!current) throw badRequest('Invalid view: no versions were added')
    this.#checkDialects(current)
    const log = [...(this.#base?.versionLog ?? []), ...(this.#logEntry ? [this.#logEntry] : [])]
    const { versions, versionLog } = this.#trim(current, log)
    return {
      formatVersion: 1,
      viewUuid: this.uuid,
      location: this.#location,
      schemas: this.#schemas,
      currentVersionId: current.versionId,
      versions,
      versionLog,
      properties: this.properties,
    }
  }

  #checkDialects(current: ViewVersion): void {
    const allowed = this.properties['replace.drop-dialect.allowed']?.toLowerCase() === 'true'
    const previous = this.#base?.versions.find(({ versionId }) => versionId === this.#base?.currentVersionId)
    if (!previous || allowed) return
    const before = dialectsOf(previous)
    const after = dialectsOf(current)
    if ([...before].every((dialect) => after.has(dialect))) return
    throw badRequest(
      `Cannot replace view due to loss of view dialects (replace.drop-dialect.allowed=false):\nPrevious dialects: [${[...before].join(', ')}]\nNew dialects: [${[...after].join(', ')}]`,
    )
  }

  /** The current version, those of this commit, and the newest others up to `version.history.num-entries` (10). */
  #trim(current: ViewVersion, log: readonly ViewLogEntry[]) {
    const size = integerProperty(this.properties, 'version.history.num-entries', 10)
    if (size <= 0) throw badRequest(`version.history.num-entries must be positive but was ${size}`)
    const keep = Math.max(size, new Set([...this.#addedVersionIds, current.versionId]).size)
    if (this.#versions.length <= keep) return { versions: this.#versions, versionLog: log }
    const newest = this.#versions
      .toSorted((a, b) => b.versionId - a.versionId)
      .filter((version) => version !== current)
      .slice(0, keep - 1)
    const versions = [current, ...newest]
    const kept = new Set(versions.map(({ versionId }) => versionId))
    // History before an entry whose version is gone would have a gap.
    const gap = log.findLastIndex(({ versionId }) => !kept.has(versionId))
    return { versions, versionLog: log.slice(gap + 1) }
  }
}
