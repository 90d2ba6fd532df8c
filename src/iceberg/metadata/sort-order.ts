import { badRequest } from '../errors.ts'
import type { JsonValue } from '../json/exact-json.ts'
import { Fields } from '../json/fields.ts'
import { columnIndex, type Schema } from './schema.ts'
import { isTransform } from './transforms.ts'

export interface SortOrder {
  /** 0 is the unsorted order, which has no fields. */
  readonly orderId: number
  readonly fields: readonly SortField[]
}

export interface SortField {
  readonly sourceId: number
  readonly transform: string
  readonly direction: 'asc' | 'desc'
  readonly nullOrder: 'nulls-first' | 'nulls-last'
}

export const unsorted: SortOrder = { orderId: 0, fields: [] }

export function parseSortOrder(value: JsonValue | undefined, what = 'sort order'): SortOrder {
  const fields = new Fields(value, what)
  const order = {
    orderId: fields.optionalInt('order-id') ?? 0,
    fields: fields.list('fields', parseSortField),
  }
  if (order.orderId === 0 && order.fields.length > 0) {
    throw badRequest(`Invalid ${what}: order-id 0 is reserved for the unsorted order`)
  }
  return order
}

function parseSortField(value: JsonValue, what: string): SortField {
  const fields = new Fields(value, what)
  const transform = fields.string('transform').toLowerCase()
  const direction = fields.string('direction').toLowerCase()
  const nullOrder = fields.string('null-order').toLowerCase()
  if (!isTransform(transform)) {
    throw badRequest(`Invalid ${what}: unknown transform ${JSON.stringify(transform)}`)
  }
  if (direction !== 'asc' && direction !== 'desc') {
    throw badRequest(
      `Invalid ${what}: direction must be "asc" or "desc", but is ${JSON.stringify(direction)}`,
    )
  }
  if (nullOrder !== 'nulls-first' && nullOrder !== 'nulls-last') {
    throw badRequest(
      `Invalid ${what}: null-order must be "nulls-first" or "nulls-last", but is ${JSON.stringify(nullOrder)}`,
    )
  }
  return { sourceId: fields.int('source-id'), transform, direction, nullOrder }
}

export function sortOrderJson(order: SortOrder): JsonValue {
  return {
    'order-id': order.orderId,
    fields: order.fields.map((field) => ({
      transform: field.transform,
      'source-id': field.sourceId,
      direction: field.direction,
      'null-order': field.nullOrder,
    })),
  }
}

/** Same fields in the same order, whatever the ids of the orders. */
export function sameOrder(a: SortOrder, b: SortOrder): boolean {
  return (
    a.fields.length === b.fields.length &&
    a.fields.every((field, index) => {
      const other = b.fields[index]!
      return (
        field.sourceId === other.sourceId &&
        field.transform === other.transform &&
        field.direction === other.direction &&
        field.nullOrder === other.nullOrder
      )
    })
  )
}

/** Checks that a schema can be sorted so: sources exist and are primitive. Throws BadRequestException. */
export function checkSortOrder(order: SortOrder, schema: Schema): void {
  for (const { sourceId } of order.fields) {
    const source = columnIndex(schema).get(sourceId)
    if (!source) throw badRequest(`Cannot find source column for sort field: source-id ${sourceId}`)
    if (typeof source.type !== 'string') {
      throw badRequest(`Cannot sort by non-primitive source field ${source.name}`)
    }
  }
}
