import { badRequest } from '../errors.ts'
import { isJsonObject, type JsonValue, printJson } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import type { Snapshot, SnapshotRef } from './model.ts'

export function parseSnapshot(value: JsonValue | undefined, what = 'snapshot'): Snapshot {
  const fields = new Fields(value, what)
  const manifestList = fields.optionalString('manifest-list')
  const manifests = manifestList === undefined ? fields.strings('manifests') : undefined
  return {
    snapshotId: fields.long('snapshot-id'),
    parentSnapshotId: fields.optionalLong('parent-snapshot-id'),
    sequenceNumber: fields.optionalLong('sequence-number') ?? 0n,
    timestampMs: fields.long('timestamp-ms'),
    manifestList,
    manifests,
    summary: parseSummary(fields, what),
    schemaId: fields.optionalInt('schema-id'),
    firstRowId: fields.optionalLong('first-row-id'),
    addedRows: fields.optionalLong('added-rows'),
    keyId: fields.optionalString('key-id'),
  }
}

/** Some writers put numbers and booleans where the specification wants strings; their text is kept. */
function parseSummary(fields: Fields, what: string): Readonly<Record<string, string>> | undefined {
  const value = fields.raw('summary')
  if (value === undefined) return undefined
  if (!isJsonObject(value)) throw badRequest(`Invalid ${what}: summary must be an object of strings`)
  const entries = Object.entries(value).filter(([, item]) => item !== null)
  return Object.fromEntries(
    entries.map(([key, item]) => [key, typeof item === 'string' ? item : printJson(item)]),
  )
}

const printed = new WeakMap<Snapshot, string>()

/**
 * The snapshot as JSON text. Snapshots never change, so a table with ten thousand of them prints only the new one at
 * each commit.
 */
export function printSnapshot(snapshot: Snapshot): string {
  let text = printed.get(snapshot)
  if (text === undefined) {
    text = printJson({
      'sequence-number': snapshot.sequenceNumber === 0n ? undefined : snapshot.sequenceNumber,
      'snapshot-id': snapshot.snapshotId,
      'parent-snapshot-id': snapshot.parentSnapshotId,
      'timestamp-ms': snapshot.timestampMs,
      summary: snapshot.summary,
      'manifest-list': snapshot.manifestList,
      manifests: snapshot.manifests,
      'schema-id': snapshot.schemaId,
      'first-row-id': snapshot.firstRowId,
      'added-rows': snapshot.addedRows,
      'key-id': snapshot.keyId,
    })
    printed.set(snapshot, text)
  }
  return text
}

/** A branch or a tag. Throws BadRequestException, also for retention that its type cannot have. */
export function parseSnapshotRef(value: JsonValue | undefined, what: string): SnapshotRef {
  const fields = new Fields(value, what)
  const type = fields.string('type').toLowerCase()
  if (type !== 'branch' && type !== 'tag') {
    throw badRequest(`Invalid ${what}: type must be "branch" or "tag", but is ${JSON.stringify(type)}`)
  }
  const ref: SnapshotRef = {
    snapshotId: fields.long('snapshot-id'),
    type,
    minSnapshotsToKeep: fields.optionalInt('min-snapshots-to-keep'),
    maxSnapshotAgeMs: fields.optionalLong('max-snapshot-age-ms'),
    maxRefAgeMs: fields.optionalLong('max-ref-age-ms'),
  }
  checkRetention(ref, what)
  return ref
}

function checkRetention(ref: SnapshotRef, what: string): void {
  if (ref.type === 'tag' && (ref.minSnapshotsToKeep !== undefined || ref.maxSnapshotAgeMs !== undefined)) {
    throw badRequest(`Invalid ${what}: tags do not support min-snapshots-to-keep and max-snapshot-age-ms`)
  }
  if (ref.minSnapshotsToKeep !== undefined && ref.minSnapshotsToKeep <= 0) {
    throw badRequest(`Invalid ${what}: min-snapshots-to-keep must be greater than 0`)
  }
  if (ref.maxSnapshotAgeMs !== undefined && ref.maxSnapshotAgeMs <= 0n) {
    throw badRequest(`Invalid ${what}: max-snapshot-age-ms must be greater than 0 ms`)
  }
  if (ref.maxRefAgeMs !== undefined && ref.maxRefAgeMs <= 0n) {
    throw badRequest(`Invalid ${what}: max-ref-age-ms must be greater than 0`)
  }
}

export function snapshotRefJson(ref: SnapshotRef): object {
  return {
    'snapshot-id': ref.snapshotId,
    type: ref.type,
    'min-snapshots-to-keep': ref.minSnapshotsToKeep,
    'max-snapshot-age-ms': ref.maxSnapshotAgeMs,
    'max-ref-age-ms': ref.maxRefAgeMs,
  }
}

export function sameRef(a: SnapshotRef, b: SnapshotRef): boolean {
  return printJson(snapshotRefJson(a)) === printJson(snapshotRefJson(b))
}
