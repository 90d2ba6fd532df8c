/** The changes of a view that a commit can ask for, and the one requirement, parsed. */
import { badRequest, IcebergError } from '../errors.ts'
import type { JsonValue } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import { parseSchema, type Schema } from '../metadata/schema.ts'
import type { ViewMetadata, ViewVersion } from './model.ts'
import { parseViewVersion } from './version.ts'

export type ViewUpdate =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly formatVersion: number }
  | { readonly action: 'add-schema'; readonly schema: Schema }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] }
  /** A `schemaId` of -1: the schema added last by the same commit. */
  | { readonly action: 'add-view-version'; readonly viewVersion: ViewVersion }
  /** -1: the version added last by the same commit. */
  | { readonly action: 'set-current-view-version'; readonly viewVersionId: number }

export interface ViewRequirement {
  readonly type: 'assert-view-uuid'
  readonly uuid: string
}

/** Parses a commit's `updates`. Throws BadRequestException, naming an action that is not known. */
export function parseViewUpdates(json: JsonValue | undefined): ViewUpdate[] {
  return new Fields({ updates: json ?? null }, 'view commit').list('updates', parseViewUpdate)
}

function parseViewUpdate(value: JsonValue, what: string): ViewUpdate {
  const fields = new Fields(value, what)
  const action = fields.string('action')
  switch (action) {
    case 'assign-uuid':
      return { action, uuid: fields.string('uuid') }
    case 'upgrade-format-version':
      return { action, formatVersion: fields.int('format-version') }
    case 'add-schema':
      return { action, schema: parseSchema(fields.raw('schema')) }
    case 'set-location':
      return { action, location: fields.string('location') }
    case 'set-properties':
      return { action, updates: fields.stringMap(fields.has('updates') ? 'updates' : 'updated') }
    case 'remove-properties':
      return { action, removals: fields.strings(fields.has('removals') ? 'removals' : 'removed') }
    case 'add-view-version':
      return { action, viewVersion: parseViewVersion(fields.raw('view-version')) }
    case 'set-current-view-version':
      return { action, viewVersionId: fields.int('view-version-id') }
    default:
      throw badRequest(`Cannot apply ${what}: unknown action ${JSON.stringify(action)}`)
  }
}

/** Parses a commit's `requirements`; missing means none. Throws BadRequestException for an unknown type. */
export function parseViewRequirements(json: JsonValue | undefined): ViewRequirement[] {
  const parse = (value: JsonValue, what: string): ViewRequirement => {
    const fields = new Fields(value, what)
    const type = fields.string('type')
    if (type !== 'assert-view-uuid') {
      throw badRequest(`Cannot check ${what}: unknown requirement ${JSON.stringify(type)}`)
    }
    return { type, uuid: fields.string('uuid') }
  }
  return new Fields({ requirements: json ?? null }, 'view commit').optionalList('requirements', parse) ?? []
}

/** Throws CommitFailedException when the view is not the one that the client knows. */
export function checkViewRequirements(base: ViewMetadata, requirements: readonly ViewRequirement[]): void {
  for (const { uuid } of requirements) {
    if (base.viewUuid.toLowerCase() !== uuid.toLowerCase()) {
      throw new IcebergError(
        'CommitFailedException',
        `Requirement failed: view UUID does not match: expected ${base.viewUuid} != ${uuid}`,
      )
    }
  }
}
