/** What operators ask of purges: `/management/v1/purges`. The least that is needed to see one work. */
import { badRequest, IcebergError } from '../../iceberg/errors.ts'
import type { PathFailure } from '../../purge/purger.ts'
import type { PurgeRecord } from '../../purge/record.ts'
import type { Principal } from '../../security/authorizer.ts'
import type { Answer } from '../call.ts'
import type { Dependencies } from '../deps.ts'

/** Path of one purge, as the `Link` of a drop names it. */
export function purgePath(id: string): string {
  return `/management/v1/purges/${id}`
}

/** The latest purges first, 100 at most, of the warehouses that the principal may see. */
export async function listPurges(deps: Dependencies, principal: Principal): Promise<Answer> {
  for (const warehouse of deps.warehouses.keys()) {
    await deps.authorizer.authorize(principal, 'purge.read', { warehouse })
  }
  const records = await deps.ledger.list(100)
  return { status: 200, body: { purges: records.map((record) => purgeBody(record)) } }
}

/** One purge, with the first hundred of the paths that could not be erased. */
export async function showPurge(deps: Dependencies, principal: Principal, id: string): Promise<Answer> {
  const record = await find(deps, principal, id, 'purge.read')
  return { status: 200, body: purgeBody(record, await deps.ledger.failures(id)) }
}

/** Has a failed purge tried again by the engine. Throws BadRequestException for one that is not failed. */
export async function retryPurge(deps: Dependencies, principal: Principal, id: string): Promise<Answer> {
  const record = await find(deps, principal, id, 'purge.retry')
  if (deps.warehouses.get(record.purge.warehouse)?.purger.waits !== false) {
    throw badRequest(
      `Warehouse ${record.purge.warehouse} has no purger that works in the background; set its purge.purger to sql-async`,
    )
  }
  if (!(await deps.ledger.retry(id))) {
    throw badRequest(`Purge ${id} is ${record.state}; only a failed one can be tried again`)
  }
  deps.engine.notify()
  return { status: 202, body: { id, state: 'pending' } }
}

async function find(
  deps: Dependencies,
  principal: Principal,
  id: string,
  action: 'purge.read' | 'purge.retry',
): Promise<PurgeRecord> {
  const record = await deps.ledger.get(id)
  if (!record) throw new IcebergError('NoSuchPurgeException', `Purge does not exist: ${id.slice(0, 100)}`)
  await deps.authorizer.authorize(principal, action, { warehouse: record.purge.warehouse })
  return record
}

function purgeBody({ purge, ...record }: PurgeRecord, failures?: readonly PathFailure[]): object {
  return {
    id: purge.id,
    state: record.state,
    kind: purge.kind,
    warehouse: purge.warehouse,
    namespace: purge.namespace,
    name: purge.name,
    uuid: purge.uuid,
    'metadata-location': purge.metadataLocation,
    purger: record.purger,
    principal: purge.request.principal,
    'request-id': purge.request.requestId,
    client: purge.request.client,
    'requested-at': purge.request.requestedAt,
    'started-at': record.startedAt,
    'updated-at': record.updatedAt,
    'finished-at': record.finishedAt,
    attempts: record.attempts,
    counts: record.counts,
    'hold-reason': record.holdReason,
    'last-error': record.lastError,
    failures,
  }
}
