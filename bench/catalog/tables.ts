import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type JsonObject, parseJson, printJson } from '../../src/iceberg/json/exact-json.ts'
import type { Subject } from './subjects.ts'

export const namespace = 'bench'

export interface Table {
  readonly name: string
  readonly uuid: string
}

/** The tables that the load generator uses, one of each kind for every connection. */
export interface Tables {
  /** 20 columns, no snapshot. */
  readonly small: readonly Table[]
  /** The same with a long history. */
  readonly long: readonly Table[]
}

/** The body of a request that creates a table of 20 columns. */
export function creation(name: string): JsonObject {
  const fields = Array.from({ length: 20 }, (_, index) => ({
    id: index + 1,
    name: `column_${index + 1}`,
    required: false,
    type: index % 2 === 0 ? 'long' : 'string',
  }))
  return { name, schema: { type: 'struct', 'schema-id': 0, fields } }
}

/** Makes `count` tables of each kind. @returns them, and the bytes of one metadata file with a long history */
export async function makeTables(
  subject: Subject,
  count: number,
  snapshots: number,
): Promise<{ readonly tables: Tables; readonly bytes: number }> {
  await post(`${subject.api}/namespaces`, { namespace: [namespace] })
  const small: Table[] = []
  const long: Table[] = []
  let bytes = 0
  for (let index = 0; index < count; index++) {
    const created = await post(`${subject.api}/namespaces/${namespace}/tables`, creation(`small_${index}`))
    const metadata = created.metadata as JsonObject
    small.push({ name: `small_${index}`, uuid: metadata['table-uuid'] as string })

    const table = { name: `long_${index}`, uuid: randomUUID() }
    const text = printJson(withHistory({ ...metadata, 'table-uuid': table.uuid }, snapshots))
    const folder = dirname(fileURLToPath(asUrl(created['metadata-location'] as string)))
    const file = join(folder, `00000-${table.uuid}.metadata.json`)
    writeFileSync(file, text)
    bytes = Buffer.byteLength(text)
    await post(`${subject.api}/namespaces/${namespace}/register`, {
      name: table.name,
      'metadata-location': `file://${file}`,
    })
    long.push(table)
  }
  return { tables: { small, long }, bytes }
}

/** Metadata after so many appends, each with the summary that Spark writes. */
function withHistory(metadata: JsonObject, count: number): JsonObject {
  const began = Date.now() - count * 60_000
  const idOf = (index: number) => 4_611_686_018_427_387_904n + BigInt(index) * 1_000_003n
  const snapshots = Array.from({ length: count }, (_, index) => ({
    'snapshot-id': idOf(index),
    ...(index > 0 && { 'parent-snapshot-id': idOf(index - 1) }),
    'sequence-number': index + 1,
    'timestamp-ms': began + index * 60_000,
    'manifest-list': `${metadata.location}/metadata/snap-${idOf(index)}-1-${randomUUID()}.avro`,
    'schema-id': 0,
    summary: {
      operation: 'append',
      'spark.app.id': 'application_1764000000000_0042',
      'added-data-files': '8',
      'added-records': '100000',
      'added-files-size': '4194304',
      'changed-partition-count': '1',
      'total-records': String((index + 1) * 100_000),
      'total-files-size': String((index + 1) * 4_194_304),
      'total-data-files': String((index + 1) * 8),
      'total-delete-files': '0',
      'total-position-deletes': '0',
      'total-equality-deletes': '0',
    },
  }))
  const last = snapshots.at(-1)!
  return {
    ...metadata,
    'last-sequence-number': count,
    'last-updated-ms': last['timestamp-ms'],
    'current-snapshot-id': last['snapshot-id'],
    refs: { main: { 'snapshot-id': last['snapshot-id'], type: 'branch' } },
    snapshots,
    'snapshot-log': snapshots.map((snapshot) => ({
      'snapshot-id': snapshot['snapshot-id'],
      'timestamp-ms': snapshot['timestamp-ms'],
    })),
    'metadata-log': [],
  }
}

/** Java writes `file:/path`. */
function asUrl(location: string): string {
  return location.replace(/^file:\/*/, 'file:///')
}

async function post(url: string, body: JsonObject): Promise<JsonObject> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: printJson(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${text.slice(0, 500)}`)
  return parseJson(text) as JsonObject
}
