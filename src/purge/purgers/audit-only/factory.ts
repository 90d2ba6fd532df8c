import { joinLocation } from '../../../storage/location.ts'
import type { IcebergPurgerFactory } from '../../purger.ts'
import { AuditOnlyPurger } from './audit-only-purger.ts'

/**
 * Options: `planLocation`, a location that the warehouse's storage can write to. @default `_moulin/plans` in the
 * warehouse's location. Throws Error for any other option.
 */
export const auditOnly: IcebergPurgerFactory = (options, { warehouse }) => {
  const { planLocation = joinLocation(warehouse.location, '_moulin/plans'), ...others } = options
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new Error(`${unknown} is no option of audit-only; there is planLocation`)
  if (typeof planLocation !== 'string' || planLocation === '') {
    throw new Error('planLocation must be a location, for example s3://bucket/plans')
  }
  return new AuditOnlyPurger(planLocation)
}
