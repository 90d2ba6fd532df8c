/** What operators ask of purges: `/management/v1/purges`. The least that is needed to see one work. */
import { IcebergError } from '../../iceberg/errors.ts'
import type { JsonValue } from '../../iceberg/json/exact-json.ts'
import { Fields } from '../../iceberg/json/fields.ts'
import { PurgeStateError } from '../../purge/ledger/operations.ts'
import type { PurgeRecord } from '../../purge/ledger/record.ts'
import type { PathFailure } from '../../purge/purger.ts'
import type { PurgeState } from '../../purge/states.ts'
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

/**
 * Has a failed purge tried again by the workers. With `{"by-location": true}`, by erasing its owned locations whole, for a
 * table whose metadata or manifests cannot be read any more. Throws ConflictException for one that is not failed.
 */
export async function retryPurge(
  deps: Dependencies,
  principal: Principal,
  id: string,
  body: JsonValue | undefined,
): Promise<Answer> {
  await find(deps, principal, id, 'purge.retry')
  const byLocation =
    body === undefined ? false : (new Fields(body, 'body').optionalBoolean('by-location') ?? false)
  const state = await operated(() => deps.ledger.retry(id, { byLocation }))
  deps.notifyWorkers()
  return { status: 202, body: { id, state } }
}

/** The certificate of a purge that is over. */
export async function showCertificate(deps: Dependencies, principal: Principal, id: string): Promise<Answer> {
  await find(deps, principal, id, 'purge.read')
  const sealed = await deps.ledger.certificate(id)
  if (!sealed) {
    throw new IcebergError(
      'NoSuchCertificateException',
      `Purge ${id.slice(0, 100)} has no certificate: it is not over.`,
    )
  }
  return { status: 200, body: sealed }
}

/** What the state of the purge does not allow conflicts with it. */
async function operated(operation: () => Promise<PurgeState | undefined>): Promise<PurgeState | undefined> {
  try {
    return await operation()
  } catch (error) {
    if (!(error instanceof PurgeStateError)) throw error
    throw new IcebergError('ConflictException', error.message)
  }
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
    'begun-at': record.begunAt,
    'next-attempt-at': ['pending', 'retained', 'handed_off'].includes(record.state)
      ? record.nextAttemptAt
      : undefined,
    attempts: record.attempts,
    'max-attempts': record.maxAttempts,
    priority: record.priority,
    'expected-files': record.expected,
    counts: record.counts,
    bytes: record.bytes,
    'held-by': record.heldBy,
    'hold-reason': record.holdReason,
    'last-error': record.lastError,
    failures,
  }
}
