/**
 * Messages of external engines about purges that were handed off to them: receipts, call-backs. They come to any server
 * at any time, are kept once under their key, and wait for the attempt that asks for them.
 */
import type { Database, Executor } from '../../database/database.ts'
import type { PurgeMessage } from '../purger.ts'
import { unfinished } from '../states.ts'

/** Of one message: bytes of its JSON, and characters of its key. */
export const maxBody = 64 * 1024
const maxKey = 200

/** A message that cannot be kept. */
export class PurgeMessageError extends Error {
  override readonly name = 'PurgeMessageError'
}

/**
 * Keeps messages for a purge, and has it looked at at once if it was handed off. False, and nothing is kept, when there is
 * no such purge, or it is over, or does not await them (it is asked with its checkpoint). Throws PurgeMessageError for a key of more than 200 characters or none, and for a body of
 * more than 64 KiB.
 */
export async function deliver(
  database: Database,
  purgeId: string,
  messages: readonly PurgeMessage[],
  isAwaited: (checkpoint: unknown) => boolean = () => true,
): Promise<boolean> {
  // It may come from anywhere, and PostgreSQL takes no such text.
  if (purgeId.includes('\0')) return false
  const rows = messages.map(({ key, body }) => ({ key: checkedKey(key), body: checkedBody(body) }))
  return await database.transaction(async (tx) => {
    const now = await database.now(tx)
    const purge = await tx
      .updateTable('purges')
      .set({ updated_at: now })
      .where('id', '=', purgeId)
      .where('state', 'in', unfinished)
      .returning('checkpoint')
      .executeTakeFirst()
    if (!purge || !isAwaited(JSON.parse(purge.checkpoint ?? 'null'))) return false
    for (const { key, body } of rows) {
      await tx
        .insertInto('purge_messages')
        .values({ purge_id: purgeId, key, body, received_at: now })
        .onConflict((conflict) => conflict.columns(['purge_id', 'key']).doNothing())
        .execute()
    }
    await tx
      .updateTable('purges')
      .set({ next_attempt_at: now })
      .where('id', '=', purgeId)
      .where('state', '=', 'handed_off')
      .where('next_attempt_at', '>', now)
      .execute()
    return true
  })
}

/** The messages of a purge whose keys begin with the prefix, by key; and how many there were of all, or fewer. */
export async function messagesOf(
  database: Database,
  purgeId: string,
  prefix = '',
): Promise<{ readonly messages: PurgeMessage[]; readonly count: number }> {
  const count = await countMessages(database.reader, purgeId)
  const rows = await database.reader
    .selectFrom('purge_messages')
    .select(['key', 'body'])
    .where('purge_id', '=', purgeId)
    .where(({ fn, val }) => fn('substr', ['key', val(1), val(prefix.length)]), '=', prefix)
    .orderBy('key')
    .execute()
  return { messages: rows.map(({ key, body }) => ({ key, body: JSON.parse(body) as unknown })), count }
}

/** How many messages of a purge there are. */
export async function countMessages(tx: Executor, purgeId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('purge_messages')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('purge_id', '=', purgeId)
    .executeTakeFirstOrThrow()
  return count
}

function checkedKey(key: string): string {
  // PostgreSQL stores no zero character.
  if (key.length > 0 && key.length <= maxKey && key.isWellFormed() && !key.includes('\0')) return key
  throw new PurgeMessageError(
    `The key of a message must have 1 to ${maxKey} characters, and no zero character.`,
  )
}

function checkedBody(body: unknown): string {
  const text = JSON.stringify(body)
  if (text !== undefined && Buffer.byteLength(text) <= maxBody && !text.includes('\\u0000')) return text
  throw new PurgeMessageError(
    `The body of a message must be JSON of at most ${maxBody} bytes, without zero characters.`,
  )
}
