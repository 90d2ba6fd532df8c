import { describe, expect, it } from 'vitest'
import { addSnapshot, append, commit, newTable, now, refusal, setRef } from '../../../test/metadata/tables.ts'

const big = 2n ** 63n - 1n

describe('add-snapshot', () => {
  it('keeps a 64-bit id and takes over the sequence number', () => {
    const table = commit(newTable(), [addSnapshot(big, { 'sequence-number': 7 })])
    expect(table.snapshots[0]?.snapshotId).toBe(big)
    expect(table.lastSequenceNumber).toBe(7n)
    expect(table.currentSnapshotId).toBeUndefined()
  })

  it('is refused for an id that is taken', () => {
    const table = commit(newTable(), append(1n, { 'sequence-number': 1 }))
    expect(refusal(() => commit(table, [addSnapshot(1n, { 'sequence-number': 2 })]))).toBe(
      '400 BadRequestException: Snapshot already exists for id: 1',
    )
  })

  it('may be repeated when its sequence number was taken meanwhile, unless it has no parent', () => {
    const table = commit(newTable(), append(1n, { 'sequence-number': 5 }))
    const late = { 'sequence-number': 5, 'parent-snapshot-id': 1 }
    expect(refusal(() => commit(table, [addSnapshot(2n, late)]))).toMatch(
      /^409 CommitFailedException: Cannot add snapshot with sequence number 5 older than last sequence number 5/,
    )
    expect(commit(table, [addSnapshot(2n, { 'sequence-number': 5 })]).lastSequenceNumber).toBe(5n)
  })

  it('has no sequence number in v1', () => {
    expect(refusal(() => commit(newTable(1), [addSnapshot(1n, { 'sequence-number': 1 })]))).toBe(
      '400 BadRequestException: Sequence number must be 0 in v1: 1',
    )
    expect(commit(newTable(1), append(1n)).lastSequenceNumber).toBe(0n)
  })

  it('needs a schema, a spec and an order', () => {
    const create = { action: 'set-location', location: 's3://b/t' }
    expect(refusal(() => commit(undefined, [create, addSnapshot(1n)]))).toContain('before a schema is added')
  })

  it('assigns row ids from v3 on', () => {
    const rows = (first: bigint | undefined, added: bigint | undefined) => ({
      'sequence-number': 9,
      'first-row-id': first,
      'added-rows': added,
    })
    const one = commit(newTable(3), append(1n, { ...rows(0n, 100n), 'sequence-number': 1 }))
    expect(one.nextRowId).toBe(100n)
    expect(commit(one, append(2n, rows(100n, 0n))).nextRowId).toBe(100n)
    expect(refusal(() => commit(one, append(2n, rows(undefined, 1n))))).toMatch(/^400 .*first-row-id is null/)
    expect(refusal(() => commit(one, append(2n, rows(100n, undefined))))).toMatch(/^400 .*added-rows/)
    expect(refusal(() => commit(one, append(2n, rows(100n, -1n))))).toMatch(/^400 .*added-rows/)
    expect(refusal(() => commit(one, append(2n, rows(99n, 1n))))).toBe(
      '409 CommitFailedException: Cannot add a snapshot, first-row-id is behind table next-row-id: 99 < 100',
    )
    expect(refusal(() => commit(one, append(2n, rows(100n, big))))).toMatch(/^400 .*exceed 64 bits/)
  })
})

describe('set-snapshot-ref', () => {
  const table = commit(newTable(), append(1n, { 'sequence-number': 1 }))

  it('must point to a snapshot', () => {
    expect(refusal(() => commit(table, [setRef('x', 2n)]))).toBe(
      '400 BadRequestException: Cannot set x to unknown snapshot: 2',
    )
  })

  it('makes main the current snapshot, and a branch only', () => {
    expect(table.currentSnapshotId).toBe(1n)
    expect(table.snapshotLog).toEqual([{ timestampMs: now, snapshotId: 1n }])
    expect(refusal(() => commit(table, [setRef('main', 1n, { type: 'tag' })]))).toBe(
      '400 BadRequestException: Cannot set main to a tag, it must be a branch',
    )
  })

  it('logs the time of a snapshot that is new, and the present for one that was there', () => {
    const two = commit(table, append(2n, { 'sequence-number': 2, 'timestamp-ms': now + 5n }), {
      now: now + 9n,
    })
    expect(two.snapshotLog.at(-1)).toEqual({ timestampMs: now + 5n, snapshotId: 2n })
    const back = commit(two, [setRef('main', 1n)], { now: now + 20n })
    expect(back.snapshotLog.at(-1)).toEqual({ timestampMs: now + 20n, snapshotId: 1n })
    expect(back.lastUpdatedMs).toBe(now + 20n)
  })

  it('keeps 64-bit retention of branches, and changes nothing when it is there already', () => {
    const retention = { 'min-snapshots-to-keep': 3, 'max-snapshot-age-ms': big, 'max-ref-age-ms': 1 }
    const kept = commit(table, [setRef('main', 1n, retention)])
    expect(kept.refs.main).toMatchObject({ minSnapshotsToKeep: 3, maxSnapshotAgeMs: big, maxRefAgeMs: 1n })
    expect(kept.snapshotLog).toEqual(table.snapshotLog)
    expect(commit(kept, [setRef('main', 1n, retention)])).toBe(kept)
  })

  it.each([
    [{ type: 'tag', 'min-snapshots-to-keep': 1 }, 'tags do not support'],
    [{ type: 'tag', 'max-snapshot-age-ms': 1 }, 'tags do not support'],
    [{ 'min-snapshots-to-keep': 0 }, 'min-snapshots-to-keep must be greater than 0'],
    [{ 'max-snapshot-age-ms': -1 }, 'max-snapshot-age-ms must be greater than 0'],
    [{ 'max-ref-age-ms': 0 }, 'max-ref-age-ms must be greater than 0'],
    [{ type: 'label' }, 'type must be "branch" or "tag"'],
  ])('%j is refused', (members, message) => {
    expect(refusal(() => commit(table, [setRef('x', 1n, members)]))).toContain(message)
  })

  it('may have any name, __proto__ too', () => {
    const odd = commit(table, [setRef('__proto__', 1n), setRef('toString', 1n, { type: 'tag' })])
    expect(Object.keys(odd.refs)).toEqual(['main', '__proto__', 'toString'])
    expect(
      Object.keys(commit(odd, [{ action: 'remove-snapshot-ref', 'ref-name': '__proto__' }]).refs),
    ).toEqual(['main', 'toString'])
  })
})

describe('remove-snapshot-ref', () => {
  it('of main leaves no current snapshot; of none changes nothing', () => {
    const table = commit(newTable(), append(1n, { 'sequence-number': 1 }))
    const without = commit(table, [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }])
    expect([without.currentSnapshotId, without.refs, without.snapshots.length]).toEqual([undefined, {}, 1])
    expect(commit(table, [{ action: 'remove-snapshot-ref', 'ref-name': 'toString' }])).toBe(table)
  })
})

describe('remove-snapshots', () => {
  const statistics = (id: bigint) => [
    {
      action: 'set-statistics',
      statistics: {
        'snapshot-id': id,
        'statistics-path': `s3://b/${id}.puffin`,
        'file-size-in-bytes': 1,
        'file-footer-size-in-bytes': 1,
        'blob-metadata': [],
      },
    },
    {
      action: 'set-partition-statistics',
      'partition-statistics': {
        'snapshot-id': id,
        'statistics-path': `s3://b/p${id}`,
        'file-size-in-bytes': 1,
      },
    },
  ]
  let table = newTable()
  for (const id of [1n, 2n, 3n]) {
    table = commit(table, [...append(id, { 'sequence-number': id }), ...statistics(id)])
  }
  table = commit(table, [setRef('old', 1n, { type: 'tag' })])
  const remove = (...ids: bigint[]) => ({ action: 'remove-snapshots', 'snapshot-ids': ids })

  it('takes statistics of both kinds and refs along', () => {
    const less = commit(table, [remove(1n, 99n)])
    expect(less.snapshots.map(({ snapshotId }) => snapshotId)).toEqual([2n, 3n])
    expect(less.statistics.map(({ snapshotId }) => snapshotId)).toEqual([2n, 3n])
    expect(less.partitionStatistics.map(({ snapshotId }) => snapshotId)).toEqual([2n, 3n])
    expect(Object.keys(less.refs)).toEqual(['main'])
  })

  it('clears the history before a snapshot that is gone', () => {
    expect(commit(table, [remove(2n)]).snapshotLog.map(({ snapshotId }) => snapshotId)).toEqual([3n])
    expect(commit(table, [remove(1n)]).snapshotLog.map(({ snapshotId }) => snapshotId)).toEqual([2n, 3n])
  })

  it('of the current one leaves none, and no log', () => {
    const none = commit(table, [remove(3n)])
    expect([none.currentSnapshotId, none.snapshotLog]).toEqual([undefined, []])
  })

  it('of unknown ones changes nothing', () => {
    expect(commit(table, [remove(77n)])).toBe(table)
  })
})

describe('the snapshot log', () => {
  it('leaves out what was current only in the middle of a commit', () => {
    const both = commit(newTable(), [
      ...append(1n, { 'sequence-number': 1 }),
      ...append(2n, { 'sequence-number': 2, 'parent-snapshot-id': 1 }),
    ])
    expect(both.snapshotLog.map(({ snapshotId }) => snapshotId)).toEqual([2n])
    expect(both.snapshots).toHaveLength(2)
  })

  it('tolerates clocks that differ by a minute, not more', () => {
    const at = (time: bigint, sequence: number) => ({ 'timestamp-ms': time, 'sequence-number': sequence })
    const table = commit(newTable(), append(1n, at(now, 1)))
    expect(commit(table, append(2n, at(now + 60_000n, 2))).snapshotLog).toHaveLength(2)
    expect(commit(table, append(2n, at(now - 60_000n, 2))).snapshotLog).toHaveLength(2)
    expect(refusal(() => commit(table, append(2n, at(now + 60_001n, 2))))).toMatch(
      /^400 .*check the client's clock/,
    )
    expect(refusal(() => commit(table, append(2n, at(now - 60_001n, 2))))).toMatch(
      /^400 .*check the client's clock/,
    )
  })

  it('never lets the time of metadata go back', () => {
    const table = newTable()
    expect(commit(table, append(1n, { 'sequence-number': 1 }), { now: now - 500n }).lastUpdatedMs).toBe(now)
  })
})
