import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { printTableMetadata } from '../../src/iceberg/metadata/print.ts'
import { eraseReach } from '../../src/purge/erase-reach.ts'
import { PermanentPurgeError } from '../../src/purge/purger.ts'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { testRun } from '../../src/testing/purge-run.ts'
import { writeManifest } from '../../src/testing/table-writer/manifest.ts'
import { writeManifestList } from '../../src/testing/table-writer/manifest-list.ts'
import { type WrittenTable, writeTable } from '../../src/testing/table-writer/table.ts'

describe('what a purge refuses rather than guesses', () => {
  let folder: string
  let io: LocalFileIO
  let table: WrittenTable
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moulin-refused-'))
    io = new LocalFileIO([folder])
    table = await writeTable(io, `file://${folder}/t`)
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const files = async () => {
    const found: string[] = []
    for await (const file of io.list(`file://${folder}`)) found.push(file.location)
    return found.toSorted()
  }
  /** Erasing throws a permanent error with these words, and nothing is gone. */
  const refuses = async (words: RegExp) => {
    const before = await files()
    const erasing = eraseReach(table.purge, testRun(io))
    await expect(erasing).rejects.toThrow(PermanentPurgeError)
    await expect(eraseReach(table.purge, testRun(io))).rejects.toThrow(words)
    expect(await files()).toEqual(before)
  }
  const writeRoot = (text: string | Buffer) => io.write(table.purge.metadataLocation, Buffer.from(text))
  const manifestOf = (keyMetadata: Buffer | undefined) => ({
    path: table.files.manifests[0]!,
    length: 1,
    snapshotId: 1n,
    added: 6,
    existing: 0,
    deleted: 0,
    ...(keyMetadata && { keyMetadata }),
  })
  const writeFirstList = (keyMetadata?: Buffer) =>
    io.write(
      table.files['manifest-lists'][0]!,
      writeManifestList({ formatVersion: 2, manifests: [manifestOf(keyMetadata)] }),
    )

  it('a table with encryption keys', async () => {
    const key = { keyId: 'k', encryptedKeyMetadata: 'aGk=', encryptedById: undefined, properties: undefined }
    await writeRoot(printTableMetadata({ ...table.metadata, encryptionKeys: [key] }))
    await refuses(/encrypted/)
  })

  it('a manifest list that names an encrypted manifest', async () => {
    await writeFirstList(Buffer.from('key'))
    await refuses(/manifest is encrypted/)
  })

  it('format version 4', async () => {
    await writeRoot(printTableMetadata(table.metadata).replace('"format-version":2', '"format-version":4'))
    await refuses(/format version is 4: supported are 1, 2 and 3/)
  })

  it.each([
    [
      'of another table',
      (text: string) => text.replace(/"table-uuid":"[^"]*"/, `"table-uuid":"${randomUUID()}"`),
    ],
    ['cut off', (text: string) => text.slice(0, -1)],
    ['without a format version', (text: string) => text.replace('"format-version":2,', '')],
    [
      'whose snapshots are no array',
      (text: string) => text.replace('"snapshots":[', '"snapshots":{},"other":['),
    ],
    ['whose snapshot has no manifests', (text: string) => text.replaceAll('"manifest-list":', '"list":')],
  ])('a root %s', async (_, change) => {
    const text = printTableMetadata(table.metadata)
    expect(change(text)).not.toBe(text)
    await writeRoot(change(text))
    await refuses(/root metadata file cannot be read/)
  })

  it('a root of gzip that is cut off, and reads one that is not', async () => {
    const whole = gzipSync(printTableMetadata(table.metadata))
    await writeRoot(whole.subarray(0, -20))
    await refuses(/root metadata file cannot be read/)
    await writeRoot(whole)
    await eraseReach(table.purge, testRun(io))
    expect(await files()).toEqual([])
  })

  it('a Parquet manifest list', async () => {
    await io.write(table.files['manifest-lists'][0]!, Buffer.from('PAR1 and so on'))
    await refuses(/Parquet.*version 4/)
  })

  it('encrypted data files', async () => {
    const entries = [
      { snapshotId: 1n, file: { path: `file://${folder}/t/data/x`, keyMetadata: Buffer.from('key') } },
    ]
    for (const path of table.files.manifests)
      await io.write(path, writeManifest({ formatVersion: 2, entries }))
    await refuses(/encrypted files/)
  })
})
