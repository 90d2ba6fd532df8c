import { expect, it } from 'vitest'
import { type ManifestFile, readManifestList } from '../../src/iceberg/manifests/manifest-list.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { type ListedManifest, writeManifestList } from '../../src/testing/table-writer/manifest-list.ts'

type Counts = Pick<ListedManifest, 'added' | 'existing' | 'deleted'> & { length?: number }

/** What writers have put into manifest lists. */
const writers: [string, (manifest: ManifestFile) => Counts][] = [
  [
    'the total of the table as existing files',
    ({ entryCount }) => ({ added: entryCount!, existing: 7, deleted: 0 }),
  ],
  ['one added file, always', () => ({ added: 1, existing: 0, deleted: 0 })],
  [
    'deleted files that grow with every commit',
    ({ entryCount }) => ({ added: entryCount!, existing: 0, deleted: 62 }),
  ],
  [
    'a length that lacks the last bytes',
    ({ length }) => ({ added: 99, existing: 0, deleted: 0, length: length! - 16 }),
  ],
]

it.each(writers)('purges a table whose manifest lists say %s', async (_, counts) => {
  await using fixture = await PurgeFixture.open('sqlite')
  const { files } = await fixture.table('t', { snapshots: 2 })
  for (const list of files['manifest-lists']) {
    const manifests = await readManifestList([await fixture.io.read(list)])
    const listed = manifests.map((manifest) => {
      const { path, content, length } = manifest
      return { path, content, snapshotId: 1n, length: length!, ...counts(manifest) }
    })
    await fixture.io.write(list, writeManifestList({ formatVersion: 2, manifests: listed }))
  }
  const id = await fixture.drop('t')
  expect(await fixture.run(id, { sweep: 'report' })).toMatchObject({ state: 'succeeded' })
  expect(await fixture.files()).toEqual([])
})
