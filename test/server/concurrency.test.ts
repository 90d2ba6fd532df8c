import { describe, expect, it } from 'vitest'
import { dialects } from '../../src/testing/databases.ts'
import { append, createTable, serve } from './fixture.ts'

describe.each(dialects)('64 committers of one table on %s', (dialect) => {
  it('all land after their retries, none is lost or applied twice', async () => {
    await using served = await serve({ dialect })
    await createTable(served)
    const path = '/namespaces/ns/tables/cities'
    const commit = async (index: number) => {
      for (let attempt = 0; attempt < 500; attempt++) {
        const { json } = await served.call('GET', path)
        const answer = await served.call('POST', path, append(json.metadata, BigInt(1_000 + index)))
        if (answer.status === 200) return
        expect([answer.status, answer.json.error.type]).toEqual([409, 'CommitFailedException'])
      }
      throw new Error(`committer ${index} gave up`)
    }
    await Promise.all(Array.from({ length: 64 }, (_, index) => commit(index)))
    const { json } = await served.call('GET', path)
    const ids = json.metadata.snapshots.map((snapshot: Record<string, number>) => snapshot['snapshot-id'])
    expect(ids.toSorted()).toEqual(Array.from({ length: 64 }, (_, index) => 1_000 + index))
    expect(json.metadata['last-sequence-number']).toBe(64)
    const chain = json.metadata.snapshots.map(
      (snapshot: Record<string, number>) => snapshot['parent-snapshot-id'],
    )
    expect(chain.slice(1)).toEqual(ids.slice(0, -1))
  })
})
