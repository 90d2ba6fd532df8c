import { describe, expect, it } from 'vitest'
import { canonicalLocation } from '../../../storage/location.ts'
import { type KeepRule, PermanentPurgeError } from '../../purger.ts'
import { KeptPlaces } from './kept-places.ts'

/** As the guard decides: the longest place that contains the path. */
function guard(own: readonly string[], others: readonly string[]): KeepRule {
  return async (paths) =>
    paths.map((path) => {
      const canonical = canonicalLocation(path)
      const holders = [...own, ...others].filter((place) => canonical.startsWith(place))
      const longest = holders.toSorted((a, b) => b.length - a.length)[0]
      return longest === undefined || own.includes(longest) ? undefined : 'inside-live-table'
    })
}

describe('kept places', () => {
  it('are few prefixes that decide every path as the rule does', async () => {
    const own = ['s3://b/t/', 's3://b/u/deep/t/']
    const others = ['s3://b/t/inner/', 's3://b/u/', 's3://b/u/deep/t/x/', 's3://b/u/deep/t/x/y/']
    const rule = guard(own, others)
    const kept = new KeptPlaces(rule, own)
    const paths = [
      's3://b/t/data/1',
      's3://b/t/inner/data/p=1/2',
      's3://b/t/inner/data/p=2/3',
      's3a://b/u/data/4',
      's3://b/u/deep/5',
      's3://b/u/deep/t/6',
      's3://b/u/deep/t/x/y/7',
      's3://b/u/deep/t/x/8',
      's3://b/free/9',
      's3://b/t2/10',
    ]
    const rules = await kept.keep(paths)
    expect(kept.places).toEqual([
      { location: 's3://b/t/inner/', rule: 'inside-live-table' },
      { location: 's3://b/u/', rule: 'inside-live-table' },
      { location: 's3://b/u/deep/t/x/', rule: 'inside-live-table' },
    ])
    const byPrefix = guard(
      own,
      kept.places.map(({ location }) => location),
    )
    expect(await byPrefix(paths)).toEqual(rules)
    expect(rules.filter((each) => each === undefined)).toHaveLength(4)
  })

  it('are not without end', async () => {
    const others = Array.from({ length: 1_001 }, (_, number) => `s3://b/${number}/`)
    const kept = new KeptPlaces(guard([], others), [])
    await kept.keep(others.slice(1).map((place) => `${place}x`))
    expect(kept.places).toHaveLength(1_000)
    await expect(kept.keep([`${others[0]}x`])).rejects.toThrow(PermanentPurgeError)
  })
})
