import type { Identifier } from '../../iceberg/identifier.ts'
import { applyTableUpdates } from '../../iceberg/metadata/builder.ts'
import type { TableMetadata } from '../../iceberg/metadata/model.ts'
import { checkRequirements } from '../../iceberg/metadata/requirements.ts'
import { applyViewUpdates } from '../../iceberg/views/builder.ts'
import type { ViewMetadata } from '../../iceberg/views/model.ts'
import { checkViewRequirements } from '../../iceberg/views/updates.ts'
import type { TableChange, ViewChange } from '../catalog.ts'
import type { Change } from './commit.ts'
import type { CatalogContext } from './context.ts'

/** A request's requirements and updates as a change of a table; with assert-create it makes the table. */
export function tableChange(
  context: CatalogContext,
  identifier: Identifier,
  { requirements, updates }: TableChange,
): Change<TableMetadata> {
  return {
    identifier,
    creates: requirements.some(({ type }) => type === 'assert-create'),
    apply(base, baseLocation) {
      checkRequirements(base, requirements)
      return applyTableUpdates(base, updates, {
        now: BigInt(context.now()),
        previousMetadataLocation: baseLocation,
        newUuid: context.uuid,
      })
    },
  }
}

/** A request's requirements and updates as a change of a view that exists. */
export function viewChange(
  context: CatalogContext,
  identifier: Identifier,
  { requirements, updates }: ViewChange,
): Change<ViewMetadata> {
  return {
    identifier,
    creates: false,
    apply(base) {
      checkViewRequirements(base!, requirements)
      return applyViewUpdates(base!, updates, { now: BigInt(context.now()) })
    },
  }
}
