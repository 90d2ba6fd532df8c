import { constants, deflateRawSync } from 'node:zlib'
import { writeManifest } from '../../src/testing/table-writer/manifest.ts'

/** Entries of one Avro block: about what Iceberg's Java library puts into 64 KB. */
const blockSize = 60
/** Digits of the number in a data file's name. */
const digits = 9
const columns = 5

/**
 * Manifests of one table that differ in the names of their files only: encoded once, then numbered anew and compressed
 * as fast as zlib can. Tables of millions of files are made in seconds so.
 */
export class ManifestPress {
  readonly #header: Buffer
  readonly #sync: Buffer
  readonly #blocks: readonly Block[]

  /** @param entries of each manifest. */
  constructor(location: string, entries: number) {
    const plain = writeManifest({
      formatVersion: 2,
      codec: 'null',
      blockSize,
      entries: Array.from({ length: entries }, () => ({
        snapshotId,
        file: { path: dataFile(location, 0), recordCount: 1_000, fileSize: fileBytes, statistics },
      })),
    })
    this.#sync = plain.subarray(-16)
    const end = plain.indexOf(this.#sync) + 16
    this.#header = deflated(plain.subarray(0, end))
    this.#blocks = blocksOf(plain, end, Buffer.from(dataFile(location, 0)))
  }

  /** The manifest whose first file has this number. */
  print(first: number): Buffer {
    const parts: Buffer[] = [this.#header]
    let number = first
    for (const { records, payload, numbersAt } of this.#blocks) {
      for (const at of numbersAt) payload.write(numbered(number++), at, 'latin1')
      const compressed = deflateRawSync(payload, { level: constants.Z_BEST_SPEED })
      parts.push(zigzag(records), zigzag(compressed.length), compressed, this.#sync)
    }
    return Buffer.concat(parts)
  }
}

export const snapshotId = 4_611_686_018_427_387_905n
/** Bytes of a data file, as manifests state them. */
export const fileBytes = 4_096

/** Location of a table's data file by its number. */
export function dataFile(location: string, number: number): string {
  return `${location}/data/${numbered(number)}.parquet`
}

interface Block {
  readonly records: number
  readonly payload: Buffer
  /** Where in the payload the numbers of the files stand. */
  readonly numbersAt: readonly number[]
}

const statistics = Array.from({ length: columns }, (_, column) => ({
  fieldId: column + 1,
  size: 40_000 + column,
  values: 1_000,
  nulls: column,
  lower: Buffer.alloc(8, column),
  upper: Buffer.alloc(8, 255 - column),
}))

function numbered(number: number): string {
  return String(number).padStart(digits, '0')
}

/** The header of an Avro file with `deflate` for a codec in place of `null`. */
function deflated(header: Buffer): Buffer {
  const codec = Buffer.from('avro.codec\x08null')
  const at = header.indexOf(codec)
  return Buffer.concat([
    header.subarray(0, at),
    Buffer.from('avro.codec\x0edeflate'),
    header.subarray(at + codec.length),
  ])
}

function blocksOf(file: Buffer, from: number, path: Buffer): Block[] {
  const blocks: Block[] = []
  for (let at = from; at < file.length; ) {
    const records = readZigzag(file, at)
    const size = readZigzag(file, records.end)
    const payload = file.subarray(size.end, size.end + size.value)
    const numbersAt: number[] = []
    for (
      let found = payload.indexOf(path);
      found !== -1;
      found = payload.indexOf(path, found + path.length)
    ) {
      numbersAt.push(found + path.length - digits - '.parquet'.length)
    }
    blocks.push({ records: records.value, payload, numbersAt })
    at = size.end + size.value + 16
  }
  return blocks
}

/** Avro's long, for values that are not negative. */
function zigzag(value: number): Buffer {
  const bytes: number[] = []
  let rest = value * 2
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

function readZigzag(file: Buffer, from: number): { readonly value: number; readonly end: number } {
  let value = 0
  let end = from
  let factor = 1
  for (;;) {
    const byte = file[end++]!
    value += (byte % 128) * factor
    if (byte < 128) return { value: value / 2, end }
    factor *= 128
  }
}
