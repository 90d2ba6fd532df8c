/**
 * The drop: the catalog removes the entry and the ledger records the purge in one transaction; only then does the
 * purger hear of it. A crash at any moment leaves either both or neither.
 */
import type { DroppedEntry } from '../../catalog/catalog.ts'
import { badRequest, IcebergError } from '../../iceberg/errors.ts'
import { runPurge } from '../../purge/run-attempt.ts'
import type { PurgeState } from '../../purge/states.ts'
import type { Answer, Call } from '../call.ts'
import { metadataLocationOf, storedTableAnswer } from '../documents.ts'
import { mutate, type StoredBody } from '../idempotency.ts'
import { purgePath } from '../management/purges.ts'
import { purgeObserver } from '../purge-observer.ts'
import { noContent } from '../route.ts'

/** Milliseconds that the workers leave to the DELETE that does the work itself; then its server must have died. */
const ownTime = 60_000

export async function dropTable(call: Call): Promise<Answer> {
  const identifier = call.table()
  const purge = purgeRequested(call)
  if (purge) await call.authorize('table.purge', identifier)
  return await drop(call, purge, (mutation) => call.catalog.dropTable(identifier, mutation))
}

/** Erases nothing unless the warehouse says that dropped views are to be purged (`purge.views`). */
export async function dropView(call: Call): Promise<Answer> {
  const identifier = call.view()
  return await drop(call, call.warehouse.config.purge.views, (mutation) =>
    call.catalog.dropView(identifier, mutation),
  )
}

/**
 * Removes the entry, leaves every file, and answers with the metadata that the pointer named at that moment, for
 * another catalog to register.
 */
export async function unregisterTable(call: Call): Promise<Answer> {
  return await mutate<DroppedEntry>(
    call,
    {
      status: 200,
      store: ({ metadataLocation }) => ({ kind: 'metadata', location: metadataLocation }),
      answer: ({ metadataLocation }) => storedTableAnswer(call, metadataLocation),
      replay: (_status, body) => storedTableAnswer(call, metadataLocationOf(body)),
    },
    (mutation) => call.catalog.dropTable(call.table(), mutation),
  )
}

/**
 * Absent means false: Trino's unregister_table leaves it out, and must not lose data. Python's `True` counts; DuckDB
 * spells the name with an underscore. Throws BadRequestException for anything else.
 */
function purgeRequested(call: Call): boolean {
  const value = call.query('purgeRequested') ?? call.query('purge_requested')
  switch (value?.toLowerCase()) {
    case undefined:
    case 'false':
      return false
    case 'true':
      return true
    default:
      throw badRequest(
        `Query parameter purgeRequested must be true or false, but is ${JSON.stringify(value)}`,
      )
  }
}

async function drop(
  call: Call,
  purge: boolean,
  run: (mutation: Parameters<Call['catalog']['dropTable']>[1]) => Promise<DroppedEntry>,
): Promise<Answer> {
  let purgeId: string | undefined
  const { ledger } = call.deps
  const { purger } = call.warehouse
  return await mutate<DroppedEntry>(
    call,
    {
      status: 204,
      alongside: async (tx, dropped) => {
        if (!purge) return
        const origin = {
          principal: call.principal.name,
          requestId: call.request.id,
          client: call.request.headers['user-agent'] ?? '',
        }
        const { maxAttempts, retention, priority } = call.warehouse.config.purge
        const delay = purger.waits ? ownTime : 0
        purgeId = await ledger.record(tx, dropped, origin, {
          purger: purger.name,
          maxAttempts,
          retention,
          delay,
          priority,
        })
      },
      store: () => (purgeId === undefined ? { kind: 'empty' } : { kind: 'purge', id: purgeId }),
      answer: () => (purgeId === undefined ? noContent : purged(call, purgeId)),
      replay: (_status, body) => replayDrop(call, body),
    },
    run,
  )
}

/**
 * Works on the purge if DELETE has to wait for it, else tells the workers. A held purge is no failure: the drop is done,
 * the files stay. Nor is a retained one: it is for later.
 */
async function purged(call: Call, id: string): Promise<Answer> {
  const { deps, warehouse } = call
  if (!waitsForPurges(call)) {
    deps.notifyWorkers()
    return accepted(id)
  }
  const end = await runPurge(id, {
    database: deps.database,
    ledger: deps.ledger,
    purger: warehouse.purger,
    io: warehouse.io,
    pace: (files) => deps.pacer.pace(files, warehouse.rateLimit),
    leaseTime: warehouse.config.purge.leaseTimeout,
    deleteConcurrency: warehouse.config.purge.deleteConcurrency,
    sweep: warehouse.config.purge.sweep,
    versions: warehouse.config.purge.versions,
    logger: call.request.log as never,
    owner: deps.identity,
    signal: deps.stopping,
    observer: purgeObserver(deps.metrics, warehouse.name),
  })
  return answerFor(id, end.state, end.message)
}

function waitsForPurges({ warehouse }: Call): boolean {
  return warehouse.purger.waits && warehouse.config.purge.retention === 0
}

/** What a DELETE that waits says of its purge. */
function answerFor(id: string, state: PurgeState | undefined, message: string | undefined): Answer {
  switch (state) {
    case 'failed':
      throw purgeFailed(id, message)
    case 'pending':
    case 'running':
    case 'handed_off':
      throw new IcebergError(
        'ServiceUnavailableException',
        `The table is dropped; purge ${id} is still erasing its files.`,
        { retryAfterSeconds: 5 },
      )
    case undefined:
    case 'succeeded':
    case 'held':
    case 'retained':
    case 'cancelled':
      return accepted(id)
  }
}

/** 204 as the specification says, and where the purge can be watched (RFC 8288). */
function accepted(id: string): Answer {
  return { ...noContent, headers: { link: `<${purgePath(id)}>; rel="monitor"` } }
}

async function replayDrop(call: Call, body: StoredBody): Promise<Answer> {
  if (body.kind !== 'purge') return noContent
  const record = await call.deps.ledger.get(body.id)
  if (!waitsForPurges(call)) return accepted(body.id)
  return answerFor(body.id, record?.state, record?.lastError)
}

function purgeFailed(id: string, reason: string | undefined): IcebergError {
  return new IcebergError(
    'PurgeFailedException',
    `The table is dropped, but not all of its files are erased. Purge ${id} is kept as failed, with the paths that are left: ${reason ?? 'no reason known'}`,
  )
}
