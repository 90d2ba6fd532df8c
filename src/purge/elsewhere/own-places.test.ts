import { expect, it } from 'vitest'
import { ownPlaces } from './own-places.ts'

it('the deepest place around a file decides whether it is a service’s to erase', () => {
  const isOwn = ownPlaces(['s3a://b/t', 's3://b/t/x/y/'], ['s3://b/t/x', 's3://b/t/z/'])
  const own = ['s3://b/t/1', 's3a://b/t/data/2', 's3://b/t/x/y/3', 's3://b/t/xx/4']
  const others = ['s3://b/t/x/5', 's3://b/t/x/z/6', 's3://b/t/z/7', 's3://b/t2/8', 's3://b/9', 's3://c/t/10']
  expect(own.filter(isOwn)).toEqual(own)
  expect(others.filter(isOwn)).toEqual([])
})
