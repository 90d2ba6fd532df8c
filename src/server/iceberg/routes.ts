import type { Route } from '../route.ts'
import { namespaceRoutes } from './namespaces.ts'
import { tableRoutes } from './tables.ts'
import { viewRoutes } from './views.ts'

/** Every operation that is served in a warehouse. */
export const icebergRoutes: readonly Route[] = [...namespaceRoutes, ...tableRoutes, ...viewRoutes]
