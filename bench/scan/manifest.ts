import { createHash } from 'node:crypto'
import { writeManifest } from '../../src/testing/table-writer/manifest.ts'

/**
 * A v2 manifest as an engine writes it for a wide table: every file has all metrics of every column, bounds of 16
 * bytes, and a path with a UUID; `block` entries in each Avro block. The same for every run.
 */
export function manifestOf(entries: number, columns: number, block: number): Buffer {
  return writeManifest({
    formatVersion: 2,
    codec: 'deflate',
    blockSize: block,
    entries: Array.from({ length: entries }, (_, index) => {
      const random = createHash('sha256').update(String(index)).digest()
      const number = (at: number) => random.readUInt16LE(at % 30)
      return {
        snapshotId: BigInt(random.readUIntLE(0, 6)),
        sequenceNumber: (index >> 6) + 1,
        file: {
          path: `s3://warehouse/sales/orders-0a1b2c/data/day=${index % 365}/${String(index).padStart(5, '0')}-7-${random.toString('hex', 0, 16)}-00001.parquet`,
          recordCount: number(3) * 100,
          fileSize: number(5) * 5000,
          statistics: Array.from({ length: columns }, (_, column) => ({
            fieldId: column + 1,
            size: number(column) * 50,
            values: number(3) * 100,
            nulls: column % 4 === 0 ? number(column) : 0,
            lower: bound(random, column),
            upper: bound(random, column + 7),
          })),
        },
      }
    }),
  })
}

/** Half of the columns are numbers, whose bounds have 8 bytes; half are text, cut at 16. */
function bound(random: Buffer, column: number): Buffer {
  if (column % 2 === 0)
    return Buffer.concat([random.subarray(column % 28, (column % 28) + 3), Buffer.alloc(5)])
  return Buffer.from(random.toString('base64').slice(column % 24, (column % 24) + 16))
}
