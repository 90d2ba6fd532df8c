import { badRequest } from '../errors.ts'
import type { Draft } from './draft.ts'
import {
  checkPartitionSpec,
  compatibleSpecs,
  hasSequentialIds,
  lastPartitionFieldId,
  type PartitionField,
  type PartitionSpec,
  type UnboundPartitionField,
  type UnboundPartitionSpec,
} from './partition-spec.ts'
import type { Schema } from './schema.ts'
import { checkSortOrder, type SortOrder, sameOrder, unsorted } from './sort-order.ts'
import type { TableUpdate } from './updates.ts'

type LayoutUpdate = Extract<
  TableUpdate,
  {
    action:
      | 'add-spec'
      | 'set-default-spec'
      | 'remove-partition-specs'
      | 'add-sort-order'
      | 'set-default-sort-order'
  }
>

/** Partition specs and sort orders: bound to the current schema when added, under an id of the table's choice. */
export function applyLayout(draft: Draft, update: LayoutUpdate): void {
  switch (update.action) {
    case 'add-spec':
      addSpec(draft, update.spec)
      return
    case 'set-default-spec':
      setDefaultSpec(draft, update.specId)
      return
    case 'remove-partition-specs':
      removeSpecs(draft, update.specIds)
      return
    case 'add-sort-order':
      addSortOrder(draft, update.sortOrder)
      return
    case 'set-default-sort-order':
      setDefaultSortOrder(draft, update.sortOrderId)
      return
  }
}

function addSpec(draft: Draft, requested: UnboundPartitionSpec): void {
  const known = draft.partitionSpecs.find((spec) => compatibleSpecs(spec, requested))
  if (known) {
    draft.lastAddedSpecId = draft.addedSpecIds.has(known.specId) ? known.specId : undefined
    return
  }
  checkPartitionSpec(requested, currentSchema(draft))
  const specId = Math.max(0, ...draft.partitionSpecs.map((spec) => spec.specId + 1))
  const spec: PartitionSpec = { specId, fields: withFieldIds(draft, requested.fields) }
  if (draft.formatVersion === 1 && !hasSequentialIds(spec)) {
    throw badRequest(
      'Spec does not use sequential IDs that are required in v1: field ids must be 1000, 1001, …',
    )
  }
  if (lastPartitionFieldId(spec) >= 2 ** 31) throw badRequest('Invalid partition spec: no field ids are left')
  draft.partitionSpecs = [...draft.partitionSpecs, spec]
  draft.lastPartitionId = Math.max(draft.lastPartitionId, lastPartitionFieldId(spec))
  draft.lastAddedSpecId = specId
  draft.addedSpecIds.add(specId)
  draft.changed = true
}

/** Ids as the client gives them; a missing one is that of the same source and transform in an older spec, or a new one. */
function withFieldIds(draft: Draft, fields: readonly UnboundPartitionField[]): PartitionField[] {
  const used = new Set(fields.map(({ fieldId }) => fieldId).filter((id) => id !== undefined))
  if (used.size < fields.filter(({ fieldId }) => fieldId !== undefined).length) {
    throw badRequest('Invalid partition spec: a field-id is used twice')
  }
  let next = draft.formatVersion === 1 ? 1000 : Math.max(draft.lastPartitionId, ...used) + 1
  const older = draft.partitionSpecs.flatMap((spec) => spec.fields)
  return fields.map((field) => {
    if (field.fieldId !== undefined) return { ...field, fieldId: field.fieldId }
    if (draft.formatVersion > 1) {
      const same = older.find(
        ({ sourceId, transform, fieldId }) =>
          sourceId === field.sourceId && transform === field.transform && !used.has(fieldId),
      )
      if (same) {
        used.add(same.fieldId)
        return { ...field, fieldId: same.fieldId }
      }
    }
    return { ...field, fieldId: next++ }
  })
}

function setDefaultSpec(draft: Draft, requested: number): void {
  const specId = requested === -1 ? draft.lastAddedSpecId : requested
  if (specId === undefined) throw badRequest('Cannot set last added spec: no spec has been added')
  if (specId === draft.defaultSpecId) return
  if (!draft.partitionSpecs.some((spec) => spec.specId === specId)) {
    throw badRequest(`Cannot set default partition spec to unknown spec: ${specId}`)
  }
  draft.defaultSpecId = specId
  draft.changed = true
}

function removeSpecs(draft: Draft, ids: readonly number[]): void {
  if (ids.includes(draft.defaultSpecId)) throw badRequest('Cannot remove the default partition spec')
  const kept = draft.partitionSpecs.filter(({ specId }) => !ids.includes(specId))
  if (kept.length === draft.partitionSpecs.length) return
  draft.partitionSpecs = kept
  draft.changed = true
}

function addSortOrder(draft: Draft, requested: SortOrder): void {
  const isUnsorted = requested.fields.length === 0
  const known = draft.sortOrders.find((order) => sameOrder(order, requested))
  if (known) {
    draft.lastAddedOrderId = draft.addedOrderIds.has(known.orderId) ? known.orderId : undefined
    return
  }
  checkSortOrder(requested, currentSchema(draft))
  const orderId = isUnsorted ? 0 : Math.max(1, ...draft.sortOrders.map((order) => order.orderId + 1))
  draft.sortOrders = [...draft.sortOrders, isUnsorted ? unsorted : { orderId, fields: requested.fields }]
  draft.lastAddedOrderId = orderId
  draft.addedOrderIds.add(orderId)
  draft.changed = true
}

function setDefaultSortOrder(draft: Draft, requested: number): void {
  const orderId = requested === -1 ? draft.lastAddedOrderId : requested
  if (orderId === undefined)
    throw badRequest('Cannot set last added sort order: no sort order has been added')
  if (orderId === draft.defaultSortOrderId) return
  if (!draft.sortOrders.some((order) => order.orderId === orderId)) {
    throw badRequest(`Cannot set default sort order to unknown order: ${orderId}`)
  }
  draft.defaultSortOrderId = orderId
  draft.changed = true
}

function currentSchema(draft: Draft): Schema {
  const schema = draft.schemas.find(({ schemaId }) => schemaId === draft.currentSchemaId)
  if (!schema) throw badRequest('Cannot add a partition spec or sort order before a current schema is set')
  return schema
}
