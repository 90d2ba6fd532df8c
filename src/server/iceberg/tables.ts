import { badRequest } from '../../iceberg/errors.ts'
import { Fields } from '../../iceberg/json/fields.ts'
import { parseTableRequirements } from '../../iceberg/metadata/requirements.ts'
import { parseTableUpdates } from '../../iceberg/metadata/updates.ts'
import { type Answer, type Call, parseIdentifier } from '../call.ts'
import { etag, matches, parseSnapshotMode, replayableTable, tableAnswer } from '../documents.ts'
import { mutate } from '../idempotency.ts'
import { noContent, type Route } from '../route.ts'
import { dropTable, unregisterTable } from './drop.ts'
import { emptyAnswer } from './namespaces.ts'

const namespace = '/v1/{prefix}/namespaces/{namespace}'
const table = `${namespace}/tables/{table}`

export const tableRoutes: readonly Route[] = [
  { method: 'GET', path: `${namespace}/tables`, action: 'table.list', handle: list },
  { method: 'POST', path: `${namespace}/tables`, action: 'table.create', handle: create },
  { method: 'POST', path: `${namespace}/register`, action: 'table.register', handle: register },
  { method: 'GET', path: table, action: 'table.read', handle: load },
  { method: 'HEAD', path: table, action: 'table.read', handle: exists },
  { method: 'POST', path: table, action: 'table.commit', handle: commit },
  { method: 'DELETE', path: table, action: 'table.drop', handle: dropTable },
  { method: 'POST', path: `${table}/unregister`, action: 'table.drop', handle: unregisterTable },
  { method: 'POST', path: `${table}/metrics`, action: 'table.report', handle: report },
  { method: 'POST', path: '/v1/{prefix}/tables/rename', action: 'table.rename', handle: rename },
  { method: 'POST', path: '/v1/{prefix}/transactions/commit', action: 'table.commit', handle: transaction },
]

async function list(call: Call): Promise<Answer> {
  const { items, next } = await call.catalog.listTables(call.namespace(), call.page())
  return { status: 200, body: { identifiers: items, 'next-page-token': next ?? null } }
}

async function create(call: Call): Promise<Answer> {
  const body = call.body('table to create')
  const request = {
    name: body.string('name'),
    schema: body.raw('schema'),
    partitionSpec: body.raw('partition-spec'),
    writeOrder: body.raw('write-order'),
    location: body.optionalString('location'),
    properties: body.optionalStringMap('properties') ?? {},
  }
  if (body.optionalBoolean('stage-create')) {
    return tableAnswer(call.warehouse, await call.catalog.stageCreateTable(call.namespace(), request))
  }
  return await mutate(call, replayableTable(call), (mutation) =>
    call.catalog.createTable(call.namespace(), request, mutation),
  )
}

async function register(call: Call): Promise<Answer> {
  const body = call.body('table to register')
  const request = {
    name: body.string('name'),
    metadataLocation: body.string('metadata-location'),
    overwrite: body.optionalBoolean('overwrite') ?? false,
  }
  return await mutate(call, replayableTable(call), (mutation) =>
    call.catalog.registerTable(call.namespace(), request, mutation),
  )
}

async function load(call: Call): Promise<Answer> {
  const mode = parseSnapshotMode(call.query('snapshots'))
  const loaded = await call.catalog.loadTable(call.table())
  const tag = etag(loaded.metadataLocation!, mode)
  if (matches(call.request.headers['if-none-match'], tag)) return { status: 304, headers: { etag: tag } }
  return tableAnswer(call.warehouse, loaded, mode)
}

async function exists(call: Call): Promise<Answer> {
  // loadTable's error is the one that a client expects here, too.
  if (!(await call.catalog.tableExists(call.table()))) await call.catalog.loadTable(call.table())
  return noContent
}

async function commit(call: Call): Promise<Answer> {
  const body = call.body('commit')
  const identifier = call.table()
  const named = body.has('identifier') ? parseIdentifier(body.raw('identifier'), 'identifier') : identifier
  if (JSON.stringify(named) !== JSON.stringify(identifier)) {
    throw badRequest('The identifier in the body is not the table that the path names')
  }
  const change = {
    requirements: parseTableRequirements(body.raw('requirements')),
    updates: parseTableUpdates(body.raw('updates')),
  }
  return await mutate(call, replayableTable(call), (mutation) =>
    call.catalog.commitTable(identifier, change, mutation),
  )
}

async function transaction(call: Call): Promise<Answer> {
  const body = call.body('transaction')
  const changes = body.list('table-changes', (value, what) => {
    const fields = new Fields(value, what)
    return {
      identifier: parseIdentifier(fields.raw('identifier'), `identifier of ${what}`),
      change: {
        requirements: parseTableRequirements(fields.raw('requirements')),
        updates: parseTableUpdates(fields.raw('updates')),
      },
    }
  })
  for (const { identifier } of changes) await call.authorize('table.commit', identifier)
  return await mutate(call, emptyAnswer, (mutation) => call.catalog.commitTransaction(changes, mutation))
}

async function rename(call: Call): Promise<Answer> {
  const body = call.body('rename')
  const from = parseIdentifier(body.raw('source'), 'source')
  const to = parseIdentifier(body.raw('destination'), 'destination')
  await call.authorize('table.rename', from)
  await call.authorize('table.create', to)
  return await mutate(call, emptyAnswer, (mutation) => call.catalog.renameTable(from, to, mutation))
}

/** Scan and commit reports are counted, not kept. */
async function report(call: Call): Promise<Answer> {
  call.body('metrics report').string('report-type')
  call.deps.metrics.reports.inc({ warehouse: call.warehouse.name })
  return noContent
}
