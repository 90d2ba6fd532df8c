import { parquetWriteBuffer } from 'hyparquet-writer'

export const regions = ['africa', 'america', 'asia', 'europe', 'oceania'] as const

/** Iceberg schema of the demo's tables. */
export const schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'order_id', required: true, type: 'long' },
    { id: 2, name: 'region', required: true, type: 'string' },
    { id: 3, name: 'ordered_at', required: true, type: 'timestamptz' },
    { id: 4, name: 'amount', required: true, type: 'double' },
  ],
}

/** A Parquet file of orders of one region, numbered from `firstId` on; field ids as in {@link schema}. */
export function orders(region: string, firstId: number, rows: number): Buffer {
  const ids = Array.from({ length: rows }, (_, index) => firstId + index)
  const start = Date.UTC(2026, 0, 1) * 1000
  return Buffer.from(
    parquetWriteBuffer({
      schema: [
        { name: 'table', num_children: 4 },
        { name: 'order_id', type: 'INT64', repetition_type: 'REQUIRED', field_id: 1 },
        {
          name: 'region',
          type: 'BYTE_ARRAY',
          converted_type: 'UTF8',
          repetition_type: 'REQUIRED',
          field_id: 2,
        },
        {
          name: 'ordered_at',
          type: 'INT64',
          converted_type: 'TIMESTAMP_MICROS',
          logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
          repetition_type: 'REQUIRED',
          field_id: 3,
        },
        { name: 'amount', type: 'DOUBLE', repetition_type: 'REQUIRED', field_id: 4 },
      ],
      columnData: [
        { name: 'order_id', data: ids.map(BigInt) },
        { name: 'region', data: ids.map(() => region) },
        { name: 'ordered_at', data: ids.map((id) => BigInt(start + id * 60_000_000)) },
        { name: 'amount', data: ids.map((id) => ((id * 7919) % 100_000) / 100) },
      ],
    }),
  )
}

/** A position delete file: rows of one data file that are no more. Field ids are those that the specification reserves. */
export function positionDeletes(dataFile: string, positions: readonly number[]): Buffer {
  return Buffer.from(
    parquetWriteBuffer({
      schema: [
        { name: 'table', num_children: 2 },
        {
          name: 'file_path',
          type: 'BYTE_ARRAY',
          converted_type: 'UTF8',
          repetition_type: 'REQUIRED',
          field_id: 2147483546,
        },
        { name: 'pos', type: 'INT64', repetition_type: 'REQUIRED', field_id: 2147483545 },
      ],
      columnData: [
        { name: 'file_path', data: positions.map(() => dataFile) },
        { name: 'pos', data: positions.map(BigInt) },
      ],
    }),
  )
}
