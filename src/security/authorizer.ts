/** What a request wants to do. One action for each kind of right that an administrator grants. */
export type Action =
  | 'config.read'
  | 'namespace.list'
  | 'namespace.create'
  | 'namespace.read'
  | 'namespace.update'
  | 'namespace.drop'
  | 'table.list'
  | 'table.create'
  | 'table.register'
  | 'table.read'
  | 'table.commit'
  | 'table.rename'
  | 'table.drop'
  | 'table.purge'
  | 'table.report'
  | 'view.list'
  | 'view.create'
  | 'view.register'
  | 'view.read'
  | 'view.commit'
  | 'view.rename'
  | 'view.drop'
  | 'purge.read'
  | 'purge.retry'

/** What it is done to: a warehouse, a namespace in it, or a table or view in that. */
export interface Resource {
  readonly warehouse: string
  readonly namespace?: readonly string[] | undefined
  readonly name?: string | undefined
}

export interface Principal {
  readonly name: string
}

/**
 * Decides, on the request and never later, whether a principal may do something. Throws ForbiddenException (an
 * `IcebergError`) when it may not.
 */
export interface Authorizer {
  authorize(principal: Principal, action: Action, resource: Resource): Promise<void>
}

/** Everybody may do everything: all there is until authentication exists. */
export const allowAll: Authorizer = {
  authorize: async () => undefined,
}
