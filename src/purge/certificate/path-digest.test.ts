import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sortedByPath } from './path-digest.ts'

describe('the order of manifests', () => {
  it("is that of their paths' bytes, also beyond the Basic Multilingual Plane", () => {
    const path = fc.string({ unit: fc.constantFrom('a', '/', '\u00e9', '\uff21', '\u{1f980}') })
    fc.assert(
      fc.property(fc.array(path), (paths) => {
        const sorted = sortedByPath(paths.map((each) => ({ path: each })))
        expect(sorted.map((each) => each.path)).toEqual(
          paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
        )
      }),
    )
  })
})
