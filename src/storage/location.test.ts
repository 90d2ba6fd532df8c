import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidLocationError } from './file-io.ts'
import {
  ancestorKeys,
  baseName,
  canonicalLocation,
  isWithin,
  joinLocation,
  localPath,
  overlaps,
  parentLocation,
  placeKey,
  s3Parts,
} from './location.ts'

describe('one key for one place', () => {
  it.each([
    ['/x/y', 'file:///x/y'],
    ['file:/x/y', 'file:///x/y'],
    ['file:///x/y', 'file:///x/y'],
    ['file://localhost/x/y', 'file:///x/y'],
    ['/x/./y/', 'file:///x/y'],
    ['/x//y///', 'file:///x/y'],
    ['/x/z/../y', 'file:///x/y'],
    ['/../../x/y', 'file:///x/y'],
    ['file:////x/y', 'file:///x/y'],
    ['/', 'file:///'],
    ['file:///..', 'file:///'],
    ['/a/...', 'file:///a/...'],
    ['/a/.hidden/..b', 'file:///a/.hidden/..b'],
    ['/a%2Fb?c#d+e f', 'file:///a%2Fb?c#d+e f'],
    ['s3://b/k', 's3://b/k'],
    ['s3a://b/k', 's3://b/k'],
    ['s3n://b/k', 's3://b/k'],
    ['s3://b', 's3://b/'],
    ['s3://b/', 's3://b/'],
    ['s3://b//k', 's3://b//k'],
    ['s3://b/a/../k/./', 's3://b/a/../k/./'],
    ['s3a://b/a%2Fb?c#d+e f\nü', 's3://b/a%2Fb?c#d+e f\nü'],
  ])('%j is %j', (location, canonical) => expect(canonicalLocation(location)).toBe(canonical))

  it.each([
    '',
    'x/y',
    './x',
    'file:x',
    'file:',
    'file://',
    'file://host/x',
    'file://localhostile/x',
    's3:///k',
    's3://',
    's3:b/k',
    's3x://b/k',
    's3',
    'hdfs://n/x',
    'gs://b/k',
    'C:\\x',
    '/x\0y',
    's3://b/x\0y',
  ])('%j is no location', (location) =>
    expect(() => canonicalLocation(location)).toThrow(InvalidLocationError),
  )

  it.each([
    ['/x', 'file:///x/'],
    ['/', 'file:///'],
    ['file:///x//', 'file:///x/'],
    ['s3://b', 's3://b/'],
    ['s3://b///', 's3://b/'],
    ['s3a://b/k//', 's3://b/k/'],
    ['s3://b/k//l', 's3://b/k//l/'],
  ])('the place of %j is %j', (location, key) => expect(placeKey(location)).toBe(key))
})

describe('what lies in what', () => {
  it.each([
    ['/t/x', '/t', true],
    ['/t', '/t/', true],
    ['/t2/x', '/t', false],
    ['/t.x', '/t', false],
    ['/t/../t2/x', '/t', false],
    ['/anything', '/', true],
    ['file:/t/x', 'file://localhost/t', true],
    ['s3://b/t/x', 's3a://b/t/', true],
    ['s3://b/t2/x', 's3://b/t', false],
    ['s3://b/t//x', 's3://b/t', true],
    ['s3://b/t/../u/x', 's3://b/t', true],
    ['s3://b2/t', 's3://b', false],
    ['s3://b/x', 's3://b', true],
    ['/b/x', 's3://b', false],
  ])('%s in %s: %s', (path, location, expected) => expect(isWithin(path, location)).toBe(expected))

  it('takes places apart and puts them together', () => {
    expect(joinLocation('s3://b/t/', 'metadata', 'a.json')).toBe('s3://b/t/metadata/a.json')
    expect(joinLocation('/t', 'x')).toBe('/t/x')
    expect(canonicalLocation(joinLocation('file:///', 'x'))).toBe('file:///x')
    expect(parentLocation('s3://b/t/a.json')).toBe('s3://b/t')
    expect(baseName('s3://b/t/a.json')).toBe('a.json')
    expect(ancestorKeys('s3://b/a/c/')).toEqual(['s3://b/', 's3://b/a/', 's3://b/a/c/'])
    expect(ancestorKeys('file:///a/c/')).toEqual(['file:///', 'file:///a/', 'file:///a/c/'])
    expect(ancestorKeys('file:///')).toEqual(['file:///'])
  })
})

/** Few and similar segments, so that places meet often; all that tempts a normaliser among them. */
const segment = fc.constantFrom('t', 't2', 't.x', 'T', 'ü', 'u\u0308', '%74', 'a b', 't?', '#t', '...', '.t')
const local = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
const s3 = fc
  .tuple(
    fc.constantFrom('b', 'b2'),
    fc.array(fc.oneof(segment, fc.constantFrom('', '.', '..')), { maxLength: 4 }),
  )
  .map(([bucket, segments]) => ['s3:/', bucket, ...segments].join('/'))
const location = fc.oneof(local, s3)

/** The same place, written in another way. */
const respelled = (place: string) =>
  place.startsWith('/')
    ? fc
        .tuple(
          fc.constantFrom('', 'file:', 'file://', 'file://localhost'),
          fc.constantFrom('/', '//', '/./', '/t/../', '/t2/ü/../../'),
          fc.constantFrom('', '/', '/.', '//'),
        )
        .map(
          ([scheme, slash, end]) =>
            // Two slashes after a bare `file:` would begin an authority.
            scheme +
            place.replaceAll('/', scheme === 'file:' && slash === '//' ? '/' : slash) +
            (place === '/' ? '' : end),
        )
    : fc
        .tuple(fc.constantFrom('s3:', 's3a:', 's3n:'), fc.constantFrom('', '/', '//'))
        .map(([scheme, end]) => `${scheme}${place.slice('s3:'.length)}${end}`)
const twoSpellings = location.chain((place) => fc.tuple(fc.constant(place), respelled(place)))

describe('laws', () => {
  const law = <T>(name: string, property: fc.IProperty<T>) =>
    it(name, () => fc.assert(property, { numRuns: 2_000 }))

  law(
    'a canonical location is its own canonical location, and so is a key',
    fc.property(location, (a) => {
      const canonical = canonicalLocation(a)
      expect(canonicalLocation(canonical)).toBe(canonical)
      expect(placeKey(placeKey(a))).toBe(placeKey(a))
      expect(placeKey(canonical)).toBe(placeKey(a))
    }),
  )

  law(
    'all spellings of a place have one key',
    fc.property(twoSpellings, ([a, b]) => {
      expect(placeKey(b)).toBe(placeKey(a))
      expect(isWithin(a, b) && isWithin(b, a) && overlaps(a, b)).toBe(true)
    }),
  )

  law(
    'a key ends with one slash, and begins with what makes it a location',
    fc.property(location, (a) => {
      expect(placeKey(a)).toMatch(/^(file:\/\/|s3:\/\/b2?)\/(.*[^/]\/)?$/s)
    }),
  )

  law(
    'within is a partial order, of which overlap is the symmetric hull',
    fc.property(location, location, location, (a, b, c) => {
      const [x, y, z] = [placeKey(a), placeKey(b), placeKey(c)]
      expect(isWithin(x, x)).toBe(true)
      if (isWithin(x, y) && isWithin(y, x)) expect(x).toBe(y)
      if (isWithin(x, y) && isWithin(y, z)) expect(isWithin(x, z)).toBe(true)
      expect(overlaps(a, b)).toBe(isWithin(x, y) || isWithin(y, x))
      expect(overlaps(a, b)).toBe(overlaps(b, a))
    }),
  )

  law(
    'what is joined lies within, and its parent is where it was joined to',
    fc.property(location, segment, (a, name) => {
      const file = joinLocation(placeKey(a), name)
      expect(isWithin(file, a)).toBe(true)
      expect(isWithin(a, file)).toBe(false)
      expect(placeKey(`${parentLocation(file)}/`)).toBe(placeKey(a))
      expect(baseName(file)).toBe(name)
    }),
  )

  law(
    'a longer name is a neighbour, not a child',
    fc.property(location, fc.constantFrom('2', '.x', ' ', '-', '%2F'), (a, more) => {
      const key = placeKey(a)
      fc.pre(key !== 'file:///' && !/^s3:\/\/[^/]+\/$/.test(key))
      const neighbour = `${key.slice(0, -1)}${more}`
      expect(isWithin(neighbour, a)).toBe(false)
      expect(isWithin(`${neighbour}/x`, a)).toBe(false)
      expect(overlaps(neighbour, a)).toBe(false)
    }),
  )

  law(
    'ancestors are exactly the places that contain it',
    fc.property(location, location, (a, b) => {
      expect(ancestorKeys(placeKey(a)).includes(placeKey(b))).toBe(isWithin(placeKey(a), b))
    }),
  )

  law(
    "an S3 key's bytes are left alone",
    fc.property(fc.string({ unit: 'binary' }), (key) => {
      fc.pre(!key.includes('\0'))
      expect(s3Parts(`s3a://bucket/${key}`)).toEqual({ bucket: 'bucket', key })
    }),
  )

  law(
    'any text is either refused or a location with a canonical form',
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', '/', 'file:', 'file://', 's3://', 's3a:'),
      (text, scheme) => {
        const canonical = attempt(() => canonicalLocation(scheme + text))
        if (canonical === undefined) return
        expect(canonicalLocation(canonical)).toBe(canonical)
        if (canonical.startsWith('file:')) expect(`file://${localPath(canonical)}`).toBe(canonical)
      },
    ),
  )
})

function attempt(work: () => string): string | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof InvalidLocationError) return undefined
    throw error
  }
}
