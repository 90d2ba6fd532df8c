import { expect, it } from 'vitest'
import { PathFilter } from './path-filter.ts'

const paths = (folder: string, count: number) =>
  Array.from({ length: count }, (_, index) => `s3://lake/ns/t/${folder}/${index}.parquet`)

it('has every path that was added, and hardly another', () => {
  const filter = new PathFilter()
  const added = paths('data', 200_000)
  for (const path of added) filter.add(path)
  expect(added.every((path) => filter.mayHave(path))).toBe(true)
  const mistaken = paths('other', 200_000).filter((path) => filter.mayHave(path))
  expect(mistaken.length).toBeLessThan(20)
})
