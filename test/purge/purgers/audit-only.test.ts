import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createPurger } from '../../../src/purge/factory.ts'
import { forwardFileIO } from '../../../src/storage/forward.ts'
import { dialects } from '../../../src/testing/databases.ts'
import { PurgeFixture, purgerContext } from '../../../src/testing/purge-fixture.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

interface Line {
  readonly stage: string
  readonly path: string
  readonly size?: number
  readonly kept?: string
}

describe.each(dialects)('audit-only on %s', (dialect) => {
  it('erases nothing, writes down everything, and frees the place', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const files = await fixture.files()
    const id = await fixture.drop('t')
    const purger = await createPurger('audit-only', {}, purgerContext(fixture))
    expect(await fixture.run(id, { purger })).toEqual({ state: 'succeeded', message: undefined })

    const { certificate } = (await fixture.ledger.certificate(id))!
    const { attachments = [], counts, kept, paths } = certificate
    expect(attachments).toMatchObject([{ name: 'plan' }])
    const [{ location, sha256: digest } = { location: '', sha256: '' }] = attachments
    const folder = location.replace(/index\.json$/, '')
    expect((await fixture.files()).filter((path) => !path.startsWith(folder))).toEqual(files)

    const index = await fixture.io.read(location)
    expect(sha256(index)).toBe(digest)
    const { parts, paths: planned } = JSON.parse(index.toString())
    const lines: Line[] = []
    for (const part of parts) {
      const bytes = await fixture.io.read(part.location)
      expect(sha256(bytes)).toBe(part.sha256)
      const text = gunzipSync(bytes).toString().trimEnd().split('\n')
      expect(text).toHaveLength(part.lines)
      lines.push(...text.map((line) => JSON.parse(line) as Line))
    }
    expect(planned).toBe(lines.length)
    for (const [stage, expected] of Object.entries(table.files)) {
      const found = new Set(lines.filter((line) => line.stage === stage).map(({ path }) => path))
      expect([stage, [...found].toSorted()]).toEqual([stage, expected.toSorted()])
    }
    const keptPaths = Object.values(counts).map((outcomes) => outcomes.kept)
    expect(keptPaths.reduce((sum = 0, each = 0) => sum + each)).toBe(lines.length)
    expect(kept).toEqual({ 'audit-only': lines.length })
    expect(paths?.entries).toBe(counts.data?.kept)
    // The place is free again.
    await fixture.table('t')
  })

  it('says what gc.enabled=false would keep', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    await fixture.table('t', { properties: { 'gc.enabled': 'false' } })
    const id = await fixture.drop('t')
    const purger = await createPurger('audit-only', {}, purgerContext(fixture))
    expect(await fixture.run(id, { purger })).toMatchObject({ state: 'succeeded' })
    const plan = await fixture.io.read(`${fixture.location('_moulin/plans')}/${id}/part-00000.ndjson.gz`)
    const lines = gunzipSync(plan).toString().trimEnd().split('\n')
    const planned = lines.map((line) => JSON.parse(line) as Line)
    expect(planned.map(({ kept }) => kept)).toEqual(
      planned.map(({ stage }) => (stage === 'data' ? 'gc.enabled=false' : undefined)),
    )
    expect(planned.some(({ stage }) => stage === 'data')).toBe(true)
  })

  it('leaves everything to a purger that is configured before the purge is over', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    const purger = await createPurger('audit-only', {}, purgerContext(fixture))
    const broken = forwardFileIO(fixture.io, {
      // The verification comes after the plan.
      list: () => {
        throw new Error('the store cannot list now')
      },
    })
    const backoff = { base: 1, max: 1 }
    expect(await fixture.run(id, { purger, io: broken, backoff })).toMatchObject({ state: 'pending' })
    expect((await fixture.run(id, { backoff })).state).toBe('succeeded')
    const left = await fixture.files()
    expect(left.filter((path) => Object.values(table.files).flat().includes(path))).toEqual([])
  })

  it('names its options', async () => {
    await using fixture = await PurgeFixture.open(dialect)
    const context = purgerContext(fixture)
    await expect(createPurger('audit-only', { location: 'x' }, context)).rejects.toThrow(
      'location is no option of audit-only; there is planLocation',
    )
    await expect(createPurger('audit-only', { planLocation: 7 }, context)).rejects.toThrow(
      'planLocation must be',
    )
  })
})
