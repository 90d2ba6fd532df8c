/** What damaged, hostile and unknown files do: an error, never a shorter list of files, never a hang. */
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AvroCodec } from '../../testing/table-writer/avro-file.ts'
import { type WrittenEntry, writeManifest } from '../../testing/table-writer/manifest.ts'
import { readAvroFile } from '../../testing/table-writer/read-avro-file.ts'
import { maxBlockBytes } from './avro/codecs.ts'
import { CorruptManifestError, UnsupportedManifestError } from './errors.ts'
import { readManifest } from './manifest.ts'

const codecs: AvroCodec[] = ['null', 'deflate', 'snappy', 'zstandard']

const entries: readonly WrittenEntry[] = Array.from({ length: 6 }, (_, index) => ({
  snapshotId: BigInt(index),
  file: {
    path: `s3://bucket/table/data/${index}.parquet`,
    statistics: [
      { fieldId: 1, size: 1, values: 1, nulls: 0, lower: Buffer.from('a'), upper: Buffer.from('b') },
    ],
  },
}))

function manifest(codec: AvroCodec): Buffer {
  return writeManifest({ formatVersion: 2, entries, codec, blockSize: 3 })
}

async function paths(file: Buffer): Promise<string[]> {
  const batches = await Array.fromAsync(readManifest([file]))
  return batches.flat().map(({ path }) => path)
}

async function outcome(file: Buffer): Promise<number | 'refused'> {
  try {
    return (await paths(file)).length
  } catch (error) {
    if (error instanceof CorruptManifestError || error instanceof UnsupportedManifestError) return 'refused'
    throw error
  }
}

describe.each(codecs)('a manifest compressed with %s', (codec) => {
  it('is corrupt when it is cut anywhere, but between two blocks it only has fewer entries than its list says', async () => {
    const file = manifest(codec)
    const sync = file.subarray(-16)
    const shorter = new Map<number, number>()
    for (let length = 0; length < file.length; length++) {
      const found = await outcome(file.subarray(0, length))
      if (found !== 'refused') shorter.set(length, found)
    }
    const headerEnd = file.indexOf(sync) + 16
    const firstBlockEnd = file.indexOf(sync, headerEnd) + 16
    expect([...shorter]).toEqual([
      [headerEnd, 0],
      [firstBlockEnd, 3],
    ])
  })

  it('throws nothing but its own errors, and ends, when bits flip', async () => {
    const file = manifest(codec)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(file.length * 8 - 1), { minLength: 1, maxLength: 8 }),
        async (bits) => {
          const damaged = Buffer.from(file)
          for (const bit of bits) damaged[bit >> 3]! ^= 1 << (bit & 7)
          await outcome(damaged)
        },
      ),
      { numRuns: 2000, seed: 20_261_123 },
    )
  })

  it('is corrupt with bytes after its end', async () => {
    await expect(paths(Buffer.concat([manifest(codec), Buffer.from([0])]))).rejects.toThrow(
      CorruptManifestError,
    )
  })
})

it('checks the checksum of snappy blocks: every flipped bit of a payload is found', async () => {
  const file = manifest('snappy')
  const payload = file.indexOf(file.subarray(-16)) + 16 + 3
  for (let at = payload; at < payload + 40; at++) {
    const damaged = Buffer.from(file)
    damaged[at]! ^= 16
    expect(await outcome(damaged)).toBe('refused')
  }
})

/** An Avro file made by hand. */
function file(header: Readonly<Record<string, string>>, ...blocks: Buffer[]): Buffer {
  const text = (value: string) => Buffer.concat([long(Buffer.byteLength(value)), Buffer.from(value)])
  const items = Object.entries(header).flatMap(([key, value]) => [text(key), text(value)])
  return Buffer.concat([
    Buffer.from('Obj\x01'),
    long(Object.keys(header).length),
    ...items,
    long(0),
    sync,
    ...blocks,
  ])
}

function block(count: number | bigint, payload: Buffer, size: number | bigint = payload.length): Buffer {
  return Buffer.concat([long(count), long(size), payload, sync])
}

const sync = Buffer.alloc(16, 0xab)

function long(value: number | bigint): Buffer {
  let rest = BigInt.asUintN(64, BigInt(value) >= 0n ? BigInt(value) * 2n : BigInt(value) * -2n - 1n)
  const bytes: number[] = []
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}

const pathOnly = (...more: object[]) =>
  JSON.stringify({
    type: 'record',
    name: 'e',
    fields: [
      ...more,
      {
        name: 'data_file',
        'field-id': 2,
        type: { type: 'record', name: 'f', fields: [{ name: 'path', type: 'string', 'field-id': 100 }] },
      },
    ],
  })

/** The path `a`. */
const a = Buffer.from([2, 97])

describe('a file made by hand', () => {
  const header = { 'avro.schema': pathOnly() }

  it('is read: without a codec nothing is compressed', async () => {
    expect(await paths(file(header, block(2, Buffer.concat([a, a]))))).toEqual(['a', 'a'])
  })

  it.each([
    ['more records than a block has', block(3, Buffer.concat([a, a]))],
    ['fewer records than a block has', block(1, Buffer.concat([a, a]))],
    ['a negative number of records', block(-1, a)],
    ['a negative size', block(1, a, -2)],
    ['a size that no block has', block(1, a, maxBlockBytes + 1)],
    ['2^62 records', block(2n ** 62n, a)],
    ['a number that never ends', Buffer.alloc(30, 0xff)],
    ['another sync marker', Buffer.concat([block(1, a).subarray(0, -1), Buffer.from([0])])],
    ['a path that reaches beyond its block', block(1, Buffer.from([40, 97]))],
    ['a path of negative length', block(1, Buffer.from([1, 97]))],
    ['a path that is not UTF-8', block(1, Buffer.from([4, 97, 0xe4]))],
    ['bytes, but no records', block(0, a)],
  ])('is corrupt with %s', async (_, block) => {
    await expect(paths(file(header, block))).rejects.toThrow(CorruptManifestError)
  })

  it('may hold a path with a replacement character', async () => {
    const path = Buffer.from('\u{fffd}')
    expect(await paths(file(header, block(1, Buffer.concat([long(path.length), path]))))).toEqual([
      '\u{fffd}',
    ])
  })

  it.each([
    ['lzma', 'lzma'],
    ['bzip2', 'bzip2'],
    ['a name from Object.prototype', 'constructor'],
  ])('is refused with the codec %s, which the message names', async (_, codec) => {
    const error = await paths(file({ ...header, 'avro.codec': codec })).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(UnsupportedManifestError)
    expect((error as Error).message).toContain(`"${codec}"`)
  })

  it('is refused when it is Parquet, as format version 4 writes manifests', async () => {
    await expect(paths(Buffer.from('PAR1...........PAR1'))).rejects.toThrow(UnsupportedManifestError)
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another magic', Buffer.from('Obj\x02aaaaaaaaaaaaaaaaaaaaaaa')],
    ['a header without a schema', file({ 'avro.codec': 'null' })],
    ['a header item of negative length', Buffer.concat([Buffer.from('Obj\x01'), long(1), long(-3)])],
    ['a header item of 2^60 bytes', Buffer.concat([Buffer.from('Obj\x01'), long(1), long(2n ** 60n)])],
    ['a schema that is not JSON', file({ 'avro.schema': '{' })],
    ['a schema of an unknown type', file({ 'avro.schema': '"foo"' })],
    ['a schema that is a number', file({ 'avro.schema': '7' })],
    [
      'a field without a type',
      file({ 'avro.schema': '{"type":"record","name":"r","fields":[{"name":"x"}]}' }),
    ],
    ['a fixed of negative size', file({ 'avro.schema': '{"type":"fixed","name":"r","size":-1}' })],
    ['a schema without end', file({ 'avro.schema': pathOnly({ name: 'self', type: ['null', 'e'] }) })],
    ['a schema nested deeply', file({ 'avro.schema': '['.repeat(150) + ']'.repeat(150) })],
  ])('is corrupt with %s', async (_, bytes) => {
    await expect(paths(bytes)).rejects.toThrow(CorruptManifestError)
  })

  it('is corrupt when names stand for names until the schema is too large', async () => {
    const twice = (name: string, inner: unknown) => ({
      name,
      type: {
        type: 'record',
        name,
        fields: [
          { name: 'l', type: inner },
          { name: 'r', type: inner },
        ],
      },
    })
    const levels = Array.from({ length: 30 }, (_, index) =>
      twice(`d${index}`, index === 0 ? 'int' : `d${index - 1}`),
    )
    await expect(
      paths(file({ 'avro.schema': pathOnly(...levels) }, block(0, Buffer.alloc(0)))),
    ).rejects.toThrow('too large')
  })

  it('does not run what its schema holds', async () => {
    const evil = '`);globalThis.pwned = 1;//\n*/"\'$' + '{globalThis.pwned = 1}'
    const schema = pathOnly(
      { name: evil, type: { type: 'fixed', name: evil, size: 1, namespace: evil } },
      { name: 'e', type: { type: 'enum', name: 'x', symbols: [evil] }, doc: evil },
    )
    expect(
      await paths(file({ 'avro.schema': schema }, block(1, Buffer.concat([Buffer.from([9, 0]), a])))),
    ).toEqual(['a'])
    expect(globalThis).not.toHaveProperty('pwned')
  })

  it('may count items in blocks of negative count, which are jumped over by their size', async () => {
    const schema = pathOnly(
      { name: 'list', type: { type: 'array', items: 'string' } },
      { name: 'map', type: { type: 'map', values: 'long' } },
    )
    const jump = (count: number, bytes: Buffer) => Buffer.concat([long(-count), long(bytes.length), bytes])
    const record = Buffer.concat([
      jump(2, Buffer.concat([a, a])),
      Buffer.concat([long(1), a]),
      long(0),
      jump(1, Buffer.concat([a, long(2n ** 62n)])),
      long(0),
      a,
    ])
    expect(await paths(file({ 'avro.schema': schema }, block(1, record)))).toEqual(['a'])
    for (const size of [-1, 1000, 2n ** 62n]) {
      const bad = Buffer.concat([long(-1), long(size), a])
      await expect(paths(file({ 'avro.schema': schema }, block(1, bad)))).rejects.toThrow(
        CorruptManifestError,
      )
    }
  })

  it('cannot keep the reader busy with items that take no space', async () => {
    for (const items of [
      'null',
      { type: 'fixed', name: 'z', size: 0 },
      { type: 'record', name: 'z', fields: [] },
    ]) {
      const schema = pathOnly({ name: 'list', type: { type: 'array', items } })
      const record = Buffer.concat([long(2n ** 60n), long(0), a])
      expect(await paths(file({ 'avro.schema': schema }, block(1, record)))).toEqual(['a'])
    }
  })

  it('may hold a number of ten bytes, rounded beyond 2^53', async () => {
    const schema = JSON.stringify({
      type: 'record',
      name: 'e',
      fields: [
        {
          name: 'data_file',
          'field-id': 2,
          type: {
            type: 'record',
            name: 'f',
            fields: [
              { name: 'path', type: 'string', 'field-id': 100 },
              { name: 'size', type: 'long', 'field-id': 104 },
            ],
          },
        },
      ],
    })
    for (const size of [
      0n,
      -1n,
      63n,
      64n,
      2n ** 20n,
      2n ** 31n,
      2n ** 53n - 1n,
      2n ** 63n - 1n,
      -(2n ** 52n),
    ]) {
      const [batch] = await Array.fromAsync(
        readManifest([file({ 'avro.schema': schema }, block(1, Buffer.concat([a, long(size)])))]),
      )
      expect(batch?.[0]?.fileSize).toBe(Number(size))
    }
  })

  it('cannot blow up: a block that decompresses to more than the bound is corrupt', async () => {
    const zeros = deflateRawSync(Buffer.alloc(maxBlockBytes + 1), { level: 1 })
    const bomb = file({ ...header, 'avro.codec': 'deflate' }, block(1, zeros))
    await expect(paths(bomb)).rejects.toThrow(CorruptManifestError)
  })

  it('finds a type by its full name, whatever else has its short name', async () => {
    const one = { type: 'record', name: 'x', namespace: 'one', fields: [{ name: 'v', type: 'string' }] }
    const schema = pathOnly(
      { name: 'a', type: one },
      { name: 'b', type: { type: 'fixed', name: 'two.x', size: 3 } },
      { name: 'c', type: 'one.x' },
      { name: 'd', type: 'two.x' },
    )
    const three = Buffer.from('123')
    expect(
      await paths(file({ 'avro.schema': schema }, block(1, Buffer.concat([a, three, a, three, a])))),
    ).toEqual(['a'])
  })
})

it('writes, with the testing writer, what avsc reads', () => {
  const records = readAvroFile<{ snapshot_id: bigint }>(manifest('zstandard')).records()
  expect(records.map(({ snapshot_id }) => snapshot_id)).toEqual([0n, 1n, 2n, 3n, 4n, 5n])
})
