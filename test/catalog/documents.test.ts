import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DocumentCache, LazyDocument } from '../../src/catalog/sql/documents.ts'
import type { FileIO } from '../../src/storage/file-io.ts'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'

let folder: string
let io: FileIO
let reads: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'moulin-documents-'))
  io = new LocalFileIO([folder])
  reads = []
  const read = io.read.bind(io)
  io.read = (location, options) => {
    reads.push(location)
    return read(location, options)
  }
})
afterEach(async () => {
  await io.close()
  rmSync(folder, { recursive: true })
})

const file = (name: string, bytes = 10) => {
  const location = join(folder, name)
  writeFileSync(location, `{${' '.repeat(bytes - 2)}}`)
  return location
}
const parse = (json: Buffer) => json.length

it('reads a file once, also for many at the same time', async () => {
  const cache = new DocumentCache(io)
  const location = file('a')
  const documents = await Promise.all(Array.from({ length: 10 }, () => cache.load(location, parse)))
  documents.push(await cache.load(location, parse))
  expect(documents.map(({ model }) => model)).toEqual(Array.from({ length: 11 }, () => 10))
  expect(reads).toEqual([location])
})

it('forgets the least recently used when it is full, and never holds what is too large', async () => {
  // Each of the small ones counts as 800 bytes: five fit.
  const cache = new DocumentCache(io, 4000)
  const small = Object.fromEntries([...'abcdef'].map((name) => [name, file(name, 200)]))
  for (const name of 'abcdeafab') await cache.load(small[name]!, parse)
  const large = file('large', 300)
  for (const location of [large, large, small.a!]) await cache.load(location, parse)
  const names = reads.map((location) => location.slice(folder.length + 1))
  expect(names).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'b', 'large', 'large'])
})

it('parses the model when it is asked for, once', async () => {
  let parsed = 0
  const document = new LazyDocument('x', Buffer.from('{}'), () => ++parsed)
  expect(parsed).toBe(0)
  expect([document.model, document.model]).toEqual([1, 1])
})

it('tells a file that is gone, cut short or not readable from one that is there', async () => {
  const cache = new DocumentCache(io)
  const location = file('a')
  await cache.load(location, parse)
  rmSync(location)
  const missing = { type: 'NotFoundException', message: `Failed to open input stream for file: ${location}` }
  await expect(cache.load(location, parse)).rejects.toMatchObject(missing)
  await expect(cache.load(location, parse)).rejects.toMatchObject(missing)
  writeFileSync(location, '{"a": ')
  await expect(cache.load(location, parse)).rejects.toMatchObject({ type: 'BadRequestException' })
  await expect(cache.load('/etc/passwd', parse)).rejects.toMatchObject({ type: 'ForbiddenException' })
  await expect(cache.load('nowhere', parse)).rejects.toMatchObject({ type: 'BadRequestException' })
})
