import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isWithin, overlaps } from '../../storage/location.ts'
import { assignLocation, checkLocation, chosenLocation, isAssigned } from './locations.ts'

const warehouse = { location: 's3://bucket/wh', ofNamespace: false }
const uuid = '0f8fad5b-d9cb-469f-a165-70867728950e'

describe('assignLocation', () => {
  it('shows the names and ends with the uuid', () => {
    const identifier = { namespace: ['sales', 'eu'], name: 'orders' }
    const location = 's3://bucket/wh/sales/eu/orders-0f8fad5bd9cb469fa16570867728950e'
    expect(assignLocation(warehouse, identifier, uuid)).toBe(location)
    expect(assignLocation({ location: '/team', ofNamespace: true }, identifier, uuid)).toBe(
      '/team/orders-0f8fad5bd9cb469fa16570867728950e',
    )
  })

  it.each([
    ['a/b', 'a_b'],
    ['..', 'namespace'],
    ['.hidden', 'hidden'],
    ['_tmp', 'tmp'],
    ['a%2Fb?#', 'a_2Fb_'],
    ['日本', 'namespace'],
    ['x'.repeat(300), 'x'.repeat(64)],
  ])('makes a plain segment of %j', (level, segment) => {
    const location = assignLocation(warehouse, { namespace: [level], name: 't' }, uuid)
    expect(location.split('/')[4]).toBe(segment)
  })

  it('gives any names a bounded, valid location below the base that is proven by the uuid', () => {
    const level = fc.string({ minLength: 1, unit: 'binary' })
    fc.assert(
      fc.property(
        fc.array(level, { minLength: 1, maxLength: 30 }),
        level,
        fc.uuid(),
        (namespace, name, uuid) => {
          for (const base of [warehouse, { location: 'file:///wh', ofNamespace: false }]) {
            const location = assignLocation(base, { namespace, name }, uuid)
            checkLocation(location)
            expect(location.length).toBeLessThan(800)
            expect(isWithin(location, base.location)).toBe(true)
            expect(isAssigned(base, location, uuid)).toBe(true)
            expect(isAssigned(base, location, crypto.randomUUID())).toBe(false)
            expect(location.slice(base.location.length)).toMatch(/^(\/[A-Za-z0-9][A-Za-z0-9_.-]*)+$/)
          }
        },
      ),
    )
  })

  it('never overlaps another table, whatever the names', () => {
    const identifier = fc.record({ namespace: fc.array(fc.string(), { minLength: 1 }), name: fc.string() })
    fc.assert(
      fc.property(identifier, identifier, fc.uuid(), fc.uuid(), (a, b, first, second) => {
        fc.pre(first !== second)
        expect(overlaps(assignLocation(warehouse, a, first), assignLocation(warehouse, b, second))).toBe(
          false,
        )
      }),
    )
  })
})

describe('isAssigned', () => {
  it('does not fall for a way out of the base', () => {
    const hex = uuid.replaceAll('-', '')
    const base = { location: '/wh' }
    expect(isAssigned(base, `/wh/ns/t-${hex}/`, uuid.toUpperCase())).toBe(true)
    expect(isAssigned(base, `/wh/../other/t-${hex}`, uuid)).toBe(false)
    expect(isAssigned(base, `/wh2/t-${hex}`, uuid)).toBe(false)
    expect(isAssigned(base, `/wh/t-${hex}/sub`, uuid)).toBe(false)
    expect(isAssigned(base, `/wh/t${hex}`, uuid)).toBe(false)
  })
})

describe('chosenLocation', () => {
  it('takes slashes off the end', () => {
    expect(chosenLocation('s3://bucket/wh/t//', 's3://bucket/wh')).toBe('s3://bucket/wh/t')
    expect(chosenLocation('/elsewhere/t', 's3://bucket/wh')).toBe('/elsewhere/t')
  })

  it.each([
    's3://bucket/wh',
    's3a://bucket/wh/',
    's3://bucket',
    's3://bucket/',
    '',
    't',
    'gs://b/t',
    '\ud800',
    '/a\0',
  ])('refuses %j', (location) => {
    expect(() => chosenLocation(location, 's3://bucket/wh')).toThrow(
      expect.objectContaining({ type: 'BadRequestException' }),
    )
  })
})
