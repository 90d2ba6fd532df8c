/** The events that were recorded and that not every sink has: whether there are any, their order, and their end. */
import { sql } from 'kysely'
import type { Database } from '../database/database.ts'

/** Events that get their positions in one transaction. */
const arrangedAtATime = 5_000

/**
 * Has changes recorded as events for these sinks from now on; a sink that is new gets what another has still to get. Without
 * any, nothing is recorded any more, and what was not sent is forgotten.
 *
 * @param sinks their names.
 */
export async function recordEvents(database: Database, sinks: readonly string[]): Promise<void> {
  const known = await database.reader.selectFrom('event_sinks').select('name').execute()
  const isRecording = await database.reader.selectFrom('event_outbox').select('one').executeTakeFirst()
  const isAsWanted = known.length === sinks.length && known.every(({ name }) => sinks.includes(name))
  if (isAsWanted && (isRecording !== undefined) === sinks.length > 0) return
  await database.transaction(async (tx) => {
    if (sinks.length === 0) {
      await tx.deleteFrom('event_outbox').execute()
      await tx.deleteFrom('event_sinks').execute()
      await tx.deleteFrom('events').execute()
      return
    }
    await tx
      .insertInto('event_outbox')
      .values({ one: 1 })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    await tx.deleteFrom('event_sinks').where('name', 'not in', sinks).execute()
    for (const name of sinks) {
      await sql`
        INSERT INTO event_sinks (name, position)
        SELECT ${name}, coalesce((SELECT min(position) - 1 FROM events), last_position) FROM event_outbox WHERE one = 1
        ON CONFLICT (name) DO NOTHING`.execute(tx)
    }
  })
}

/**
 * Gives positions to events that have none. Of transactions that run side by side, the one that recorded first may commit
 * last, so that a sequence says of none that all before it are there; positions are given to what is committed, one giver after
 * the other. Two events of one subject keep their order: the second was recorded when the first was committed.
 */
export async function arrange(database: Database): Promise<void> {
  if (!(await isAnyWithoutPosition(database))) return
  await database.transaction(async (tx) => {
    // Locks the row.
    const outbox = await tx
      .updateTable('event_outbox')
      .set((outbox) => ({ last_position: outbox.ref('last_position') }))
      .returning('last_position')
      .executeTakeFirst()
    if (!outbox) return
    const { rows } = await sql`
      UPDATE events SET position = ${outbox.last_position} + fresh.rank
      FROM (
        SELECT sequence, row_number() OVER (ORDER BY sequence) AS rank
        FROM events WHERE position IS NULL ORDER BY sequence LIMIT ${arrangedAtATime}
      ) AS fresh
      WHERE events.sequence = fresh.sequence
      RETURNING events.sequence`.execute(tx)
    await tx
      .updateTable('event_outbox')
      .set({ last_position: outbox.last_position + rows.length })
      .execute()
  })
}

export async function isAnyWithoutPosition(database: Database): Promise<boolean> {
  const row = await database.reader
    .selectFrom('events')
    .select('sequence')
    .where('position', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Forgets the events that every sink has. After the commit that says so of the last one, which sees the others'. */
export async function forgetSent(database: Database): Promise<void> {
  await database.transaction(async (tx) => {
    await tx
      .deleteFrom('events')
      .where('position', '<=', (query) =>
        query.selectFrom('event_sinks').select((select) => select.fn.min('position').as('lowest')),
      )
      .execute()
  })
}
