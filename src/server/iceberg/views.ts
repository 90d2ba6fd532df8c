import { parseViewRequirements, parseViewUpdates } from '../../iceberg/views/updates.ts'
import { type Answer, type Call, parseIdentifier } from '../call.ts'
import { replayableView, viewAnswer } from '../documents.ts'
import { mutate } from '../idempotency.ts'
import { noContent, type Route } from '../route.ts'
import { dropView } from './drop.ts'
import { emptyAnswer } from './namespaces.ts'

const namespace = '/v1/{prefix}/namespaces/{namespace}'
const view = `${namespace}/views/{view}`

export const viewRoutes: readonly Route[] = [
  { method: 'GET', path: `${namespace}/views`, action: 'view.list', handle: list },
  { method: 'POST', path: `${namespace}/views`, action: 'view.create', handle: create },
  { method: 'POST', path: `${namespace}/register-view`, action: 'view.register', handle: register },
  { method: 'GET', path: view, action: 'view.read', handle: load },
  { method: 'HEAD', path: view, action: 'view.read', handle: exists },
  { method: 'POST', path: view, action: 'view.commit', handle: replace },
  { method: 'DELETE', path: view, action: 'view.drop', handle: dropView },
  { method: 'POST', path: '/v1/{prefix}/views/rename', action: 'view.rename', handle: rename },
]

async function list(call: Call): Promise<Answer> {
  const { items, next } = await call.catalog.listViews(call.namespace(), call.page())
  return { status: 200, body: { identifiers: items, 'next-page-token': next ?? null } }
}

async function create(call: Call): Promise<Answer> {
  const body = call.body('view to create')
  const request = {
    name: body.string('name'),
    location: body.optionalString('location'),
    schema: body.raw('schema'),
    viewVersion: body.raw('view-version'),
    properties: body.optionalStringMap('properties') ?? {},
  }
  return await mutate(call, replayableView(call), (mutation) =>
    call.catalog.createView(call.namespace(), request, mutation),
  )
}

async function register(call: Call): Promise<Answer> {
  const body = call.body('view to register')
  const request = {
    name: body.string('name'),
    metadataLocation: body.string('metadata-location'),
    overwrite: false,
  }
  return await mutate(call, replayableView(call), (mutation) =>
    call.catalog.registerView(call.namespace(), request, mutation),
  )
}

async function load(call: Call): Promise<Answer> {
  return viewAnswer(await call.catalog.loadView(call.view()))
}

async function exists(call: Call): Promise<Answer> {
  if (!(await call.catalog.viewExists(call.view()))) await call.catalog.loadView(call.view())
  return noContent
}

async function replace(call: Call): Promise<Answer> {
  const body = call.body('view commit')
  const change = {
    requirements: parseViewRequirements(body.raw('requirements')),
    updates: parseViewUpdates(body.raw('updates')),
  }
  return await mutate(call, replayableView(call), (mutation) =>
    call.catalog.replaceView(call.view(), change, mutation),
  )
}

async function rename(call: Call): Promise<Answer> {
  const body = call.body('rename')
  const from = parseIdentifier(body.raw('source'), 'source')
  const to = parseIdentifier(body.raw('destination'), 'destination')
  await call.authorize('view.rename', from)
  await call.authorize('view.create', to)
  return await mutate(call, emptyAnswer, (mutation) => call.catalog.renameView(from, to, mutation))
}
