import type { FastifyRequest } from 'fastify'
import type { PageRequest } from '../catalog/catalog.ts'
import { badRequest } from '../iceberg/errors.ts'
import type { Identifier, Namespace } from '../iceberg/identifier.ts'
import type { JsonValue } from '../iceberg/json/exact-json.ts'
import { Fields } from '../iceberg/json/fields.ts'
import type { Action, Principal, Resource } from '../security/authorizer.ts'
import type { Dependencies, Warehouse } from './deps.ts'

/** Unit separator: how the protocol joins the levels of a namespace, `%1F` in a URL. */
const separator = '\u001f'

/** What a route answers. Without a body: nothing but the status. */
export interface Answer {
  readonly status: number
  /** Text of JSON ready to be sent, or a value to be printed. */
  readonly body?: Buffer | object
  readonly headers?: Readonly<Record<string, string>>
}

/** One request to the API of one warehouse, with its parts decoded and checked. */
export class Call {
  readonly request: FastifyRequest
  readonly deps: Dependencies
  readonly warehouse: Warehouse
  readonly principal: Principal

  constructor(request: FastifyRequest, deps: Dependencies, warehouse: Warehouse, principal: Principal) {
    this.request = request
    this.deps = deps
    this.warehouse = warehouse
    this.principal = principal
  }

  get catalog() {
    return this.warehouse.catalog
  }

  /** Throws ForbiddenException. Routes whose target stands in the path are authorised before they are called. */
  async authorize(action: Action, target: Identifier | { readonly namespace: Namespace }): Promise<void> {
    await this.deps.authorizer.authorize(this.principal, action, {
      warehouse: this.warehouse.name,
      ...target,
    })
  }

  /** What the path names. */
  get resource(): Resource {
    const { namespace, table, view } = this.request.params as Record<string, string | undefined>
    return {
      warehouse: this.warehouse.name,
      namespace: namespace === undefined ? undefined : parseNamespace(namespace),
      name: table ?? view,
    }
  }

  namespace(): Namespace {
    return parseNamespace(this.#parameter('namespace'))
  }

  table(): Identifier {
    return { namespace: this.namespace(), name: this.#parameter('table') }
  }

  view(): Identifier {
    return { namespace: this.namespace(), name: this.#parameter('view') }
  }

  /** A query parameter; undefined when it is missing. Throws BadRequestException when it is given twice. */
  query(name: string): string | undefined {
    const value = (this.request.query as Record<string, string | string[] | undefined>)[name]
    if (Array.isArray(value)) throw badRequest(`Query parameter ${name} must be given only once`)
    return value
  }

  /** `pageToken` (missing: no paging unless a size is given; empty: first page) and `pageSize` (1 to 1,000). */
  page(): PageRequest {
    const token = this.query('pageToken')
    const size = this.query('pageSize')
    if (size !== undefined && (!/^\d{1,9}$/.test(size) || Number(size) < 1)) {
      throw badRequest(`Query parameter pageSize must be a number from 1, but is ${JSON.stringify(size)}`)
    }
    const paged = token !== undefined || size !== undefined
    return {
      token: token === '' ? undefined : token,
      size: paged ? Math.min(Number(size ?? 1_000), 1_000) : undefined,
    }
  }

  /** The body, which must be a JSON object. */
  body(what: string): Fields {
    if (this.request.body === undefined)
      throw badRequest(`The request has no body; it must be ${what} as JSON`)
    return new Fields(this.request.body as JsonValue, what)
  }

  #parameter(name: string): string {
    return (this.request.params as Record<string, string>)[name]!
  }
}

/** Levels of a namespace as the path or a query parameter has it, decoded once. Throws BadRequestException. */
export function parseNamespace(text: string): Namespace {
  const levels = text.split(separator)
  if (levels.includes(''))
    throw badRequest('A namespace must have at least one level, and no level may be empty')
  return levels
}

/** An identifier inside a body: `{"namespace":["a","b"],"name":"t"}`. */
export function parseIdentifier(value: JsonValue | undefined, what: string): Identifier {
  const fields = new Fields(value, what)
  return { namespace: parseNamespaceLevels(fields), name: fields.string('name') }
}

/** The member `namespace` of a body: a list of levels. Throws BadRequestException. */
export function parseNamespaceLevels(fields: Fields): Namespace {
  const levels = fields.strings('namespace')
  if (levels.length === 0) throw badRequest('A namespace must have at least one level')
  return levels
}
