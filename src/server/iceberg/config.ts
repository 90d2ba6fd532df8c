import { badRequest, IcebergError } from '../../iceberg/errors.ts'
import type { Answer } from '../call.ts'
import type { Dependencies, Warehouse } from '../deps.ts'
import { tableConfig } from '../documents.ts'
import type { Route } from '../route.ts'

/** The warehouse that `?warehouse=` names; without it the only one, or the one called `default`. */
export function chooseWarehouse(deps: Dependencies, name: string | undefined): Warehouse {
  const { warehouses } = deps
  if (name !== undefined && name !== '') {
    const found = warehouses.get(name)
    if (!found) throw noSuchWarehouse(name)
    return found
  }
  const [only] = warehouses.values()
  const chosen = warehouses.size === 1 ? only : warehouses.get('default')
  if (!chosen) {
    throw badRequest('There are several warehouses and none is called default: name one with ?warehouse=NAME')
  }
  return chosen
}

export function noSuchWarehouse(name: string): IcebergError {
  return new IcebergError('NoSuchWarehouseException', `Warehouse does not exist: ${name}`)
}

/** What a client needs to know of a warehouse: its prefix, how to reach its storage, and what is served. */
export function configAnswer(deps: Dependencies, warehouse: Warehouse, routes: readonly Route[]): Answer {
  return {
    status: 200,
    body: {
      defaults: tableConfig(warehouse),
      overrides: { prefix: encodeURIComponent(warehouse.name) },
      endpoints: routes.map(({ method, path }) => `${method} ${path}`),
      'idempotency-key-lifetime': `PT${Math.floor(deps.config.idempotencyKeyLifetime / 1_000)}S`,
    },
  }
}
