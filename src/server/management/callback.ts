/** `POST /management/v1/purges/{id}/callback`: what an external engine says of a purge that was handed off to it. */
import type { IncomingHttpHeaders } from 'node:http'
import { badRequest, IcebergError } from '../../iceberg/errors.ts'
import { PurgeMessageError } from '../../purge/ledger/messages.ts'
import { type PurgeMessage, UnauthenticMessageError } from '../../purge/purger.ts'
import { purgerNamed } from '../../purge/routing.ts'
import type { Answer } from '../call.ts'
import type { Dependencies } from '../deps.ts'

/** Bytes of a call-back's body. */
export const maxCallback = 32 * 1024

/** An error that Fastify has met before the route was called. The limit of a call-back is its own, not the server's. */
export function callbackError(error: unknown): unknown {
  if ((error as { code?: unknown }).code !== 'FST_ERR_CTP_BODY_TOO_LARGE') return error
  const message = `A call-back has ${maxCallback} bytes at most.`
  return new IcebergError('PayloadTooLargeException', message, { cause: error })
}

/**
 * Keeps what the purger that works on the purge makes of a call-back. The purger alone says whether it is the engine's: no
 * user is asked for. 202 also when the purge is over, so that nobody calls back again. Throws NoSuchPurgeException, also for
 * a purger that takes no call-backs, NotAuthorizedException, BadRequestException.
 */
export async function receiveCallback(
  deps: Dependencies,
  id: string,
  headers: IncomingHttpHeaders,
  body: Buffer,
): Promise<Answer> {
  const record = await deps.ledger.get(id)
  const warehouse = record && deps.warehouses.get(record.purge.warehouse)
  const purger = warehouse && purgerNamed(warehouse, record.purger)
  if (!purger?.receive) {
    throw new IcebergError(
      'NoSuchPurgeException',
      `There is no purge to call back about: ${id.slice(0, 100)}`,
    )
  }
  try {
    const message: PurgeMessage = await purger.receive({ purgeId: id, headers, body })
    if (await deps.ledger.deliver(id, [message])) deps.notifyWorkers()
  } catch (error) {
    if (error instanceof UnauthenticMessageError) {
      throw new IcebergError('NotAuthorizedException', error.message, { cause: error })
    }
    if (error instanceof PurgeMessageError) throw badRequest(error.message, error)
    throw error
  }
  return { status: 202 }
}
