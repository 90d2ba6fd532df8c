/**
 * Idempotency-Key: a mutation's answer is stored in the mutation's own transaction, so that a repeated request gets
 * the answer of the first, whenever and to whichever replica it comes. Of two at the same time one wins; the other's
 * transaction fails on the key and gives the winner's answer.
 *
 * Answers with table or view metadata are not stored as such: the metadata file that they were made of does not change.
 */
import { createHash } from 'node:crypto'
import type { Mutation } from '../catalog/catalog.ts'
import type { Transaction } from '../database/database.ts'
import { badRequest, IcebergError } from '../iceberg/errors.ts'
import type { Answer, Call } from './call.ts'
import { errorBody, toIcebergError } from './errors.ts'

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** How an answer is kept. */
export type StoredBody =
  | { readonly kind: 'empty' }
  | { readonly kind: 'json'; readonly json: object }
  | { readonly kind: 'metadata'; readonly location: string }
  | { readonly kind: 'purge'; readonly id: string }

export interface Replayable<T> {
  readonly status: number
  /** What to keep of the result; called inside the transaction. */
  store(result: T): StoredBody
  answer(result: T): Answer | Promise<Answer>
  /** The answer again, from what was kept. */
  replay(status: number, body: StoredBody): Promise<Answer>
  /** Other work for the same transaction. */
  alongside?(tx: Transaction, result: T): Promise<void>
}

/** Runs a mutation; with an Idempotency-Key only once. */
export async function mutate<T>(
  call: Call,
  replayable: Replayable<T>,
  run: (mutation: Mutation<T>) => Promise<T>,
): Promise<Answer> {
  const key = idempotencyKey(call)
  const alongside = async (tx: Transaction, result: T) => {
    await replayable.alongside?.(tx, result)
    if (key !== undefined) await store(call, tx, key, replayable.status, replayable.store(result))
  }
  if (key === undefined) return await replayable.answer(await run({ alongside }))

  const replayed = await find(call, key, replayable)
  if (replayed) return replayed
  let result: T
  try {
    result = await run({ alongside })
  } catch (error) {
    // The same request may have won meanwhile: then this failure is its doing.
    const won = await find(call, key, replayable)
    if (won) return won
    await storeFailure(call, key, error)
    throw error
  }
  return await replayable.answer(result)
}

function idempotencyKey(call: Call): string | undefined {
  const header = call.request.headers['idempotency-key']
  if (header === undefined) return undefined
  if (typeof header !== 'string' || !uuid.test(header)) {
    throw badRequest(
      'The header Idempotency-Key must be a UUID, for example 019a53c2-8f0e-7cc3-98c4-dc0c0c07398f',
    )
  }
  return header.toLowerCase()
}

async function find<T>(call: Call, key: string, replayable: Replayable<T>): Promise<Answer | undefined> {
  const { database } = call.deps
  const row = await database.reader
    .selectFrom('idempotency_keys')
    .selectAll()
    .where('warehouse', '=', call.warehouse.name)
    .where('key', '=', key)
    .executeTakeFirst()
  if (!row || row.expires_at <= Date.now()) return undefined
  if (row.fingerprint !== fingerprint(call)) {
    throw new IcebergError(
      'UnprocessableEntityException',
      `Idempotency-Key ${key} was used for another request; take a new key for each`,
    )
  }
  const body = JSON.parse(row.body ?? '{"kind":"empty"}') as StoredBody
  if (row.status >= 400 && body.kind === 'json') return { status: row.status, body: body.json }
  return await replayable.replay(row.status, body)
}

async function store(
  call: Call,
  tx: Transaction,
  key: string,
  status: number,
  body: StoredBody,
): Promise<void> {
  const now = Date.now()
  const warehouse = call.warehouse.name
  await tx
    .deleteFrom('idempotency_keys')
    .where('warehouse', '=', warehouse)
    .where('key', '=', key)
    .where('expires_at', '<=', now)
    .execute()
  await tx
    .insertInto('idempotency_keys')
    .values({
      warehouse,
      key,
      fingerprint: fingerprint(call),
      status,
      body: JSON.stringify(body),
      created_at: now,
      expires_at: now + call.deps.config.idempotencyKeyLifetime,
    })
    .execute()
}

/** Statuses below 500 that may be another the next time: rights change, limits pass. */
const passing = new Set([401, 403, 408, 429])

/** Keeps a refusal that will be the same every time; nothing from 500 on. */
async function storeFailure(call: Call, key: string, error: unknown): Promise<void> {
  const failure = toIcebergError(error, call.request.id)
  if (failure.status >= 500 || passing.has(failure.status)) return
  // A commit that lost a race may win the next.
  if (failure.type === 'CommitFailedException') return
  try {
    await call.deps.database.transaction((tx) =>
      store(call, tx, key, failure.status, { kind: 'json', json: errorBody(failure) }),
    )
  } catch (storing) {
    // Nothing was changed by the request: not having kept its refusal loses nothing.
    call.request.log.warn({ err: storing }, 'answer not kept under its Idempotency-Key')
  }
}

/** Forgets answers whose time is over. Gives their number. */
export async function pruneIdempotencyKeys(database: Call['deps']['database']): Promise<number> {
  return await database.transaction(async (tx) => {
    const { numDeletedRows } = await tx
      .deleteFrom('idempotency_keys')
      .where('expires_at', '<=', Date.now())
      .executeTakeFirst()
    return Number(numDeletedRows)
  })
}

function fingerprint(call: Call): string {
  const { method, url, rawBody } = call.request
  return createHash('sha256')
    .update(`${method} ${url}\n`)
    .update(rawBody ?? '')
    .digest('hex')
}
