import type { Action } from '../security/authorizer.ts'
import type { Answer, Call } from './call.ts'

/** One operation of the Iceberg API in one warehouse. The table of routes is also what `/v1/config` advertises. */
export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE'
  /** As the specification writes it: `/v1/{prefix}/namespaces/{namespace}`. */
  readonly path: string
  /** The right that is asked for before `handle` is called. */
  readonly action: Action
  handle(call: Call): Promise<Answer>
}

export const noContent: Answer = { status: 204 }
