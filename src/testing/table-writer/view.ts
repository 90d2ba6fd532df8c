import { randomUUID } from 'node:crypto'
import { newViewMetadata } from '../../iceberg/views/builder.ts'
import { printViewMetadata } from '../../iceberg/views/print.ts'
import type { FileIO } from '../../storage/file-io.ts'
import type { WrittenTable } from './table.ts'

/** A view as a drop would leave it. */
export type WrittenView = Pick<WrittenTable, 'purge' | 'files'>

/** Writes a view whose location the catalog has assigned: its current metadata file, and two older ones, which it does not name. */
export async function writeView(io: FileIO, location: string): Promise<WrittenView> {
  const uuid = randomUUID()
  const metadata = newViewMetadata({
    schema: { type: 'struct', fields: [{ id: 1, name: 'id', required: true, type: 'long' }] },
    viewVersion: {
      'version-id': 1,
      'schema-id': -1,
      'timestamp-ms': 1_700_000_000_000,
      summary: {},
      representations: [{ type: 'sql', sql: 'SELECT 1 AS id', dialect: 'spark' }],
      'default-namespace': ['ns'],
    },
    location,
    properties: {},
    uuid,
    now: 1_700_000_001_000n,
  })
  const text = Buffer.from(printViewMetadata(metadata))
  const [root = '', ...older] = [2, 0, 1].map(
    (number) => `${location}/metadata/0000${number}-${randomUUID()}.metadata.json`,
  )
  for (const path of [...older, root]) await io.write(path, text)
  return {
    purge: {
      id: randomUUID(),
      kind: 'view',
      warehouse: 'main',
      namespace: ['ns'],
      name: 'view',
      uuid,
      metadataLocation: root,
      locations: [{ location, owned: true }],
      request: { principal: 'test', requestId: 'test', client: 'test', requestedAt: 0 },
    },
    files: {
      data: [],
      manifests: [],
      'manifest-lists': [],
      statistics: [],
      metadata: older,
      root: [root],
      sweep: [],
      versions: [],
    },
  }
}
