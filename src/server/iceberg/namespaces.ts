import type { NamespaceInfo, PropertiesChange } from '../../catalog/catalog.ts'
import type { Answer } from '../call.ts'
import { type Call, parseNamespace, parseNamespaceLevels } from '../call.ts'
import { mutate, type Replayable, type StoredBody } from '../idempotency.ts'
import { noContent, type Route } from '../route.ts'

const namespaces = '/v1/{prefix}/namespaces'
const namespace = `${namespaces}/{namespace}`

export const namespaceRoutes: readonly Route[] = [
  { method: 'GET', path: namespaces, action: 'namespace.list', handle: list },
  { method: 'POST', path: namespaces, action: 'namespace.create', handle: create },
  { method: 'GET', path: namespace, action: 'namespace.read', handle: load },
  { method: 'HEAD', path: namespace, action: 'namespace.read', handle: exists },
  { method: 'DELETE', path: namespace, action: 'namespace.drop', handle: drop },
  { method: 'POST', path: `${namespace}/properties`, action: 'namespace.update', handle: update },
]

async function list(call: Call): Promise<Answer> {
  const parent = call.query('parent')
  const { items, next } = await call.catalog.listNamespaces(
    parent === undefined || parent === '' ? undefined : parseNamespace(parent),
    call.page(),
  )
  return { status: 200, body: { namespaces: items, 'next-page-token': next ?? null } }
}

async function create(call: Call): Promise<Answer> {
  const body = call.body('namespace to create')
  const levels = parseNamespaceLevels(body)
  const properties = body.optionalStringMap('properties') ?? {}
  await call.authorize('namespace.create', { namespace: levels })
  return await mutate(
    call,
    jsonAnswer((info: NamespaceInfo) => ({ namespace: info.namespace, properties: info.properties })),
    (mutation) => call.catalog.createNamespace(levels, properties, mutation),
  )
}

async function load(call: Call): Promise<Answer> {
  const info = await call.catalog.loadNamespace(call.namespace())
  return { status: 200, body: { namespace: info.namespace, properties: info.properties } }
}

async function exists(call: Call): Promise<Answer> {
  await call.catalog.loadNamespace(call.namespace())
  return noContent
}

async function drop(call: Call): Promise<Answer> {
  return await mutate(call, emptyAnswer, (mutation) => call.catalog.dropNamespace(call.namespace(), mutation))
}

async function update(call: Call): Promise<Answer> {
  const body = call.body('changes of namespace properties')
  const removals = body.has('removals') ? body.strings('removals') : []
  const updates = body.optionalStringMap('updates') ?? {}
  return await mutate(
    call,
    jsonAnswer((change: PropertiesChange) => ({
      updated: change.updated,
      removed: change.removed,
      missing: change.missing,
    })),
    (mutation) => call.catalog.updateNamespaceProperties(call.namespace(), removals, updates, mutation),
  )
}

/** 204, and the same again. */
export const emptyAnswer: Replayable<unknown> = {
  status: 204,
  store: () => ({ kind: 'empty' }),
  answer: () => noContent,
  replay: async () => noContent,
}

/** 200 with a small body, which is kept as it is. */
export function jsonAnswer<T>(body: (result: T) => object): Replayable<T> {
  return {
    status: 200,
    store: (result) => ({ kind: 'json', json: body(result) }),
    answer: (result) => ({ status: 200, body: body(result) }),
    replay: async (status: number, stored: StoredBody) => ({
      status,
      body: stored.kind === 'json' ? stored.json : {},
    }),
  }
}
