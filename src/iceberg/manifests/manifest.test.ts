import { describe, expect, it } from 'vitest'
import type { AvroCodec } from '../../testing/table-writer/avro-file.ts'
import { writeAvroFile } from '../../testing/table-writer/avro-file.ts'
import {
  type ManifestOptions,
  type WrittenEntry,
  writeManifest,
} from '../../testing/table-writer/manifest.ts'
import { readAvroFile } from '../../testing/table-writer/read-avro-file.ts'
import { batchSize } from './avro/records.ts'
import { CorruptManifestError, UnsupportedManifestError } from './errors.ts'
import { type ManifestEntry, readManifest } from './manifest.ts'

const statistics = Array.from({ length: 7 }, (_, index) => ({
  fieldId: index + 1,
  size: 1000 * index,
  values: 10,
  nulls: index,
  lower: Buffer.from(`a${index}`),
  upper: Buffer.alloc(index * 40, 'z'),
}))

const entries: readonly WrittenEntry[] = [
  { snapshotId: 2n ** 63n - 1n, file: { path: 's3://b/t/data/a.parquet', fileSize: 2n ** 40n, statistics } },
  { snapshotId: -1n, status: 'existing', file: { path: 's3://b/t/data/ü%2F?#..//b.orc', format: 'ORC' } },
  {
    snapshotId: 3n,
    status: 'deleted',
    file: { path: '/elsewhere/c.avro', fileSize: 0, statistics, keyMetadata: Buffer.from([1]) },
  },
]

const deletes: readonly WrittenEntry[] = [
  { snapshotId: 1n, file: { path: 'p.parquet', content: 'position-deletes', fileSize: 300 } },
  { snapshotId: 1n, file: { path: 'e.parquet', content: 'equality-deletes', statistics } },
  {
    snapshotId: 1n,
    file: {
      path: 'v.puffin',
      content: 'position-deletes',
      format: 'PUFFIN',
      referencedDataFile: 'data.parquet',
      contentOffset: 4,
      contentSize: 2n ** 33n,
    },
  },
]

async function read(file: Buffer | Iterable<Buffer>): Promise<ManifestEntry[]> {
  const batches = await Array.fromAsync(readManifest(Buffer.isBuffer(file) ? [file] : file))
  return batches.flat()
}

interface AvscEntry {
  readonly status: number
  readonly data_file: {
    readonly content?: number
    readonly file_path: string
    readonly file_size_in_bytes: bigint
    readonly key_metadata: unknown
  }
}

/** What avsc, which decodes every field, finds in a manifest. */
function expected(file: Buffer): ManifestEntry[] {
  return readAvroFile<AvscEntry>(file)
    .records()
    .map(({ status, data_file }) => ({
      status: (['existing', 'added', 'deleted'] as const)[status]!,
      content: (['data', 'position-deletes', 'equality-deletes'] as const)[data_file.content ?? 0]!,
      path: data_file.file_path,
      fileSize: Number(data_file.file_size_in_bytes),
      encrypted: data_file.key_metadata !== null,
    }))
}

const codecs: AvroCodec[] = ['null', 'deflate', 'snappy', 'zstandard']

describe.each([1, 2, 3] as const)('a v%i manifest', (formatVersion) => {
  it.each(codecs)('compressed with %s is read as avsc reads it', async (codec) => {
    for (const realMaps of [false, true]) {
      const file = writeManifest({ formatVersion, entries, codec, realMaps, blockSize: 2 })
      expect(await read(file)).toEqual(expected(file))
      expect((await read(file)).map(({ path }) => path)).toEqual(entries.map(({ file }) => file.path))
    }
  })

  it('is read without header metadata, and without entries', async () => {
    const bare = writeManifest({ formatVersion, entries, headerMetadata: false })
    expect(await read(bare)).toEqual(expected(bare))
    expect(await read(writeManifest({ formatVersion, entries: [] }))).toEqual([])
  })

  it('is read whatever its partition values are', async () => {
    const partition: ManifestOptions['partition'] = [
      { fieldId: 1000, name: 'day', type: ['null', { type: 'int', logicalType: 'date' }] },
      {
        fieldId: 1001,
        name: 'amount',
        type: [
          'null',
          { type: 'fixed', size: 5, name: 'decimal_9_2', logicalType: 'decimal', precision: 9, scale: 2 },
        ],
      },
      {
        fieldId: 1002,
        name: 'id',
        type: { type: 'fixed', size: 16, name: 'uuid_fixed', logicalType: 'uuid' },
      },
      { fieldId: 1003, name: 'x', type: ['null', 'boolean', 'float', 'double', 'bytes', 'string'] },
    ]
    const value = { id: Buffer.alloc(16, 7), amount: Buffer.alloc(5, 255), day: -719_162, x: null }
    const file = writeManifest({
      formatVersion,
      partition,
      entries: [
        { snapshotId: 1n, file: { path: 'a', partition: { ...value, x: { float: 1.5 } }, fileSize: 11 } },
        {
          snapshotId: 1n,
          file: { path: 'b', partition: { ...value, amount: null, day: null }, fileSize: 22 },
        },
      ],
    })
    expect(await read(file)).toEqual(expected(file))
  })
})

describe.each([2, 3] as const)('a v%i delete manifest', (formatVersion) => {
  it('tells kinds of delete files apart, and never gives the data file that a vector refers to', async () => {
    const file = writeManifest({ formatVersion, entries: deletes })
    const found = await read(file)
    expect(found).toEqual(expected(file))
    expect(found.map(({ path, content }) => [path, content])).toEqual([
      ['p.parquet', 'position-deletes'],
      ['e.parquet', 'equality-deletes'],
      ['v.puffin', 'position-deletes'],
    ])
  })
})

describe('fields of a manifest', () => {
  const field = (id: number | undefined, name: string, type: unknown) =>
    id === undefined ? { name, type } : { name, type, 'field-id': id }
  const manifest = (fields: object[], records: object[]) =>
    writeAvroFile({
      schema: { type: 'record', name: 'entry', fields },
      records,
      codec: 'null',
      metadata: {},
    })
  const entry = (path: string) => ({
    status: 'added',
    content: 'data',
    path,
    fileSize: undefined,
    encrypted: false,
  })

  it('are found by id when they are renamed and stand in another order', async () => {
    const file = manifest(
      [
        field(2, 'the_file', {
          type: 'record',
          name: 'f',
          fields: [
            field(103, 'file_path', 'string'),
            field(104, 'bytes', 'long'),
            field(100, 'where', 'string'),
            field(134, 'what', ['null', 'int']),
          ],
        }),
        field(1, 'status', 'long'),
        field(0, 'state', 'int'),
      ],
      [{ the_file: { file_path: 'wrong', bytes: 5, where: 'right', what: 2 }, status: 9, state: 2 }],
    )
    expect(await read(file)).toEqual([
      { status: 'deleted', content: 'equality-deletes', path: 'right', fileSize: 5, encrypted: false },
    ])
  })

  it('are found by name where no field has an id, and only where they belong', async () => {
    const partition = {
      type: 'record',
      name: 'p',
      fields: ['file_path', 'status', 'content'].map((name) => field(undefined, name, 'string')),
    }
    const file = manifest(
      [
        field(undefined, 'status', 'int'),
        field(undefined, 'data_file', {
          type: 'record',
          name: 'f',
          fields: [field(undefined, 'file_path', 'string'), field(undefined, 'partition', partition)],
        }),
      ],
      [
        {
          status: 1,
          data_file: { file_path: 'right', partition: { file_path: 'wrong', status: 'x', content: 'y' } },
        },
      ],
    )
    expect(await read(file)).toEqual([entry('right')])
  })

  it('may be missing, but not the path', async () => {
    const dataFile = (fields: object[]) => [field(2, 'data_file', { type: 'record', name: 'f', fields })]
    expect(
      await read(
        manifest(dataFile([field(100, 'file_path', 'string')]), [{ data_file: { file_path: 'a' } }]),
      ),
    ).toEqual([{ ...entry('a'), status: 'existing' }])
    const without = manifest(dataFile([field(104, 'size', 'long')]), [{ data_file: { size: 1 } }])
    await expect(read(without)).rejects.toThrow(new CorruptManifestError('A manifest entry has no file path'))
  })

  it('of types that they cannot have are refused', async () => {
    const file = manifest(
      [field(2, 'data_file', { type: 'record', name: 'f', fields: [field(100, 'file_path', 'double')] })],
      [{ data_file: { file_path: 1 } }],
    )
    await expect(read(file)).rejects.toThrow(UnsupportedManifestError)
  })

  it('with a status or content that is not known are corrupt', async () => {
    const fields = (id: number) => [
      field(0, 'status', 'int'),
      field(2, 'data_file', {
        type: 'record',
        name: 'f',
        fields: [field(100, 'p', 'string'), field(id, 'c', 'int')],
      }),
    ]
    const record = (status: number, c: number) => [{ status, data_file: { p: 'a', c } }]
    await expect(read(manifest(fields(134), record(3, 0)))).rejects.toThrow('unknown status: 3')
    await expect(read(manifest(fields(134), record(1, -1)))).rejects.toThrow('unknown content: -1')
  })
})

it.each([1, 7, 500, 501, 2000])(
  'gives batches of one size, whatever blocks of %i entries there are',
  async (blockSize) => {
    const many = Array.from({ length: 1234 }, (_, index) => ({ snapshotId: 1n, file: { path: `f${index}` } }))
    const file = writeManifest({ formatVersion: 2, entries: many, blockSize })
    const batches = await Array.fromAsync(readManifest([file]))
    expect(batches.map((batch) => batch.length)).toEqual([batchSize, batchSize, 1234 - 2 * batchSize])
    expect(batches.flat().map(({ path }) => path)).toEqual(many.map((entry) => entry.file.path))
  },
)

it('reads manifests of many schemas by turns', async () => {
  const files = Array.from({ length: 40 }, (_, index) => {
    const columns = Array.from({ length: index }, (_, at) => `p${at}`)
    return writeManifest({
      formatVersion: 2,
      partition: columns.map((name, at) => ({ fieldId: 1000 + at, name, type: ['null', 'string'] })),
      entries: [
        {
          snapshotId: 1n,
          file: {
            path: `f${index}`,
            partition: Object.fromEntries(columns.map((name) => [name, name])),
          },
        },
      ],
    })
  })
  const all = files.map((_, index) => `f${index}`)
  for (let round = 0; round < 3; round++) {
    const found = await Promise.all(files.map(read))
    expect(found.flat().map(({ path }) => path)).toEqual(all)
  }
})

it('reads chunks of any size, asynchronous ones too, as it reads the whole', async () => {
  const file = writeManifest({ formatVersion: 3, entries: [...entries, ...deletes], blockSize: 2 })
  const whole = await read(file)
  for (const size of [1, 2, 7, 1000]) {
    const chunks = Array.from({ length: Math.ceil(file.length / size) }, (_, index) =>
      file.subarray(index * size, (index + 1) * size),
    )
    expect(await read(chunks)).toEqual(whole)
    const stream = async function* () {
      yield Buffer.alloc(0)
      yield* chunks
    }
    expect((await Array.fromAsync(readManifest(stream()))).flat()).toEqual(whole)
  }
})

describe('the source of a manifest', () => {
  const file = writeManifest({ formatVersion: 2, entries, blockSize: 1 })
  /** Chunks of 100 bytes that tell whether their consumer has let go of them. */
  function watched(bytes: Buffer) {
    const state = { closed: false }
    async function* chunks() {
      try {
        for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100)
      } finally {
        state.closed = true
      }
    }
    return { state, chunks: chunks() }
  }

  it('is closed when the reader stops early', async () => {
    const many = Array.from({ length: batchSize + 1 }, () => entries[0]!)
    const { state, chunks } = watched(writeManifest({ formatVersion: 2, entries: many, blockSize: 1 }))
    for await (const batch of readManifest(chunks)) {
      expect(batch).toHaveLength(batchSize)
      expect(state.closed).toBe(false)
      break
    }
    expect(state.closed).toBe(true)
  })

  it.each([
    ['header', (bytes: Buffer) => bytes.fill(0, 0, 4)],
    ['schema', (bytes: Buffer) => bytes.fill(0, 40, 300)],
    ['first block', (bytes: Buffer) => bytes.fill(255, bytes.length - 700)],
  ])('is closed when its %s is damaged', async (_, damage) => {
    const { state, chunks } = watched(damage(Buffer.from(file)))
    await expect(Array.fromAsync(readManifest(chunks))).rejects.toThrow(CorruptManifestError)
    expect(state.closed).toBe(true)
  })

  it('passes on its own errors', async () => {
    async function* broken() {
      yield file.subarray(0, 200)
      throw new Error('connection reset')
    }
    await expect(Array.fromAsync(readManifest(broken()))).rejects.toThrow('connection reset')
  })
})
