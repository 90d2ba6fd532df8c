import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SealedCertificate } from '../../src/purge/certificate/certificate.ts'
import { verifyCertificates } from '../../src/purge/certificate/verify.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { dialects } from '../../src/testing/databases.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import type { WrittenTable } from '../../src/testing/table-writer/table.ts'

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest()

/** As docs/reference/certificates.md says, from what the writer wrote, and without the code under test. */
function digestOf(manifests: WrittenTable['manifests']): string {
  const ordered = manifests.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
  let digest = sha256('')
  for (const { path, entries } of ordered) {
    const paths = Buffer.concat(entries.map((entry) => Buffer.from(`${entry}\0`)))
    digest = sha256(Buffer.concat([digest, sha256(path), sha256(paths)]))
  }
  return digest.toString('hex')
}

describe.each(dialects)('certificates on %s', (dialect) => {
  it('account for every path, with a digest that anyone can compute', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const lender = await fixture.table('lender')
    const borrowed = lender.files.data.slice(0, 2)
    const table = await fixture.table('t', { snapshots: 3, filesPerSnapshot: 5, borrowed })
    const id = await fixture.drop('t')
    await fixture.run(id)
    const { certificate } = (await fixture.ledger.certificate(id))!
    const entries = table.manifests.reduce((sum, manifest) => sum + manifest.entries.length, 0)
    expect(certificate.paths).toEqual({
      algorithm: 'sha-256-manifest-chain',
      manifests: table.manifests.length,
      entries,
      digest: digestOf(table.manifests),
    })
    expect(certificate.kept).toEqual({ 'inside-live-table': 2 })
    expect(certificate).toMatchObject({
      version: 1,
      sequence: 1,
      previous: null,
      state: 'succeeded',
      object: { name: 't', namespace: ['ns'], uuid: table.purge.uuid },
      request: { principal: 'p', 'request-id': 'r', client: 'c' },
      counts: { data: { kept: 2 }, root: { deleted: 1 } },
    })
    expect(certificate.bytes.data?.deleted).toBeGreaterThan(0)
  })

  it('has the same digest and the same number of paths when the work was cut off anywhere', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    for (const cut of [0, 1, 2, 3, 5]) {
      const table = await fixture.table(`t${cut}`, { snapshots: 3, filesPerSnapshot: 90 })
      const id = await fixture.drop(`t${cut}`)
      let batches = 0
      const io = forwardFileIO(fixture.io, {
        capabilities: { ...fixture.io.capabilities, deleteBatchSize: 100 },
        deleteFiles: async (locations, options) => {
          if (batches++ === cut) throw new Error('cut off')
          return await fixture.io.deleteFiles(locations, options)
        },
      })
      expect(await fixture.run(id, { io, deleteConcurrency: 2 })).toMatchObject({ state: 'failed' })
      await fixture.ledger.retry(id)
      expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
      const { certificate } = (await fixture.ledger.certificate(id))!
      expect(certificate.paths?.digest).toBe(digestOf(table.manifests))
      const { deleted = 0, absent = 0 } = certificate.counts.data ?? {}
      expect(deleted + absent).toBe(new Set(table.manifests.flatMap(({ entries }) => entries)).size)
    }
  })

  it('count the root that was erased before a crash', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    const io = forwardFileIO(fixture.io, {
      deleteFiles: async (locations, options) => {
        const outcomes = await fixture.io.deleteFiles(locations, options)
        if (locations.includes(table.purge.metadataLocation)) throw new Error('cut off')
        return outcomes
      },
    })
    expect(await fixture.run(id, { io })).toMatchObject({ state: 'failed' })
    await fixture.ledger.retry(id)
    expect(await fixture.run(id)).toMatchObject({ state: 'succeeded' })
    const { certificate } = (await fixture.ledger.certificate(id))!
    expect(certificate.counts.root).toEqual({ absent: 1 })
  })

  it('form one chain for each warehouse, however many purges end at the same time', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const ids: string[] = []
    for (let number = 0; number < 8; number++) {
      await fixture.table(`t${number}`)
      ids.push(await fixture.drop(`t${number}`))
    }
    await Promise.all(ids.map((id) => fixture.run(id)))
    const sealed = await fixture.ledger.certificates('main')
    expect(sealed.map(({ certificate }) => certificate.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    const lines = sealed.map((each) => JSON.stringify(each))
    expect(verifyCertificates(lines)).toMatchObject({ problems: [], chains: [{ count: 8, last: 8 }] })

    const changed = lines.with(3, lines[3]!.replace('"deleted":1', '"deleted":2'))
    expect(verifyCertificates(changed).problems).toMatchObject([{ line: 4 }])
    const missing = lines.toSpliced(4, 1)
    expect(verifyCertificates(missing).problems).toMatchObject([{ line: 5 }])
    const resealed = lines.with(3, forge(sealed[3]!))
    expect(verifyCertificates(resealed).problems).toMatchObject([{ line: 5 }])
    expect(verifyCertificates(lines.slice(2)).problems).toEqual([])
  })
})

/** Changes a certificate and gives it the hash that fits. */
function forge({ certificate }: SealedCertificate): string {
  const text = JSON.stringify(certificate).replace('"attempts":1', '"attempts":2')
  const hash = sha256(text).toString('hex')
  return JSON.stringify({ certificate: JSON.parse(text), hash })
}
