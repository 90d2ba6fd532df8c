/**
 * Which purges are due. Claimable rows stand in three lanes, each with an index of its own over (rank, warehouse, time):
 * what is due, and first, is found without a look at what is not, however long a backlog or how many finished rows there
 * are. States are literals in every statement, for only then does a database see that a partial index holds the rows.
 *
 * The rank is the purge's priority. What an operator has recalled has the highest: its engine is to be told at once.
 */
import { type RawBuilder, sql } from 'kysely'
import type { Executor, Transaction } from '../../database/database.ts'
import { dialectOf } from '../../database/dialect.ts'

/** `abandoned`: the lease has run out. `waiting`: to be worked on. `elsewhere`: an engine has it, which is to be asked. */
export type Lane = 'abandoned' | 'waiting' | 'elsewhere'

/** Of one warehouse, lane and rank: at least one purge is due there. */
export interface Due {
  readonly lane: Lane
  readonly warehouse: string
  /** Higher goes first. */
  readonly rank: number
}

interface LaneQuery {
  readonly states: RawBuilder<unknown>
  /** The column that says since when a purge is due. */
  readonly since: RawBuilder<unknown>
  /** That it is. */
  isDue(now: number): RawBuilder<unknown>
}

const lanes: Readonly<Record<Lane, LaneQuery>> = {
  abandoned: {
    states: sql`state = 'running'`,
    since: sql`lease_expires_at`,
    isDue: (now) => sql`lease_expires_at < ${now}`,
  },
  waiting: {
    states: sql`state IN ('pending', 'retained')`,
    since: sql`next_attempt_at`,
    isDue: (now) => sql`next_attempt_at <= ${now}`,
  },
  elsewhere: {
    states: sql`state = 'handed_off'`,
    since: sql`next_attempt_at`,
    isDue: (now) => sql`next_attempt_at <= ${now}`,
  },
}

/** Of every warehouse and rank with a due purge, the lanes in which one stands; of all warehouses of the ledger. */
export async function allDue(executor: Executor, now: number): Promise<Due[]> {
  const due: Due[] = []
  for (const lane of Object.keys(lanes) as Lane[]) {
    const { rows } = await sql<Omit<Due, 'lane'>>`${headsDue(lanes[lane], now)}`.execute(executor)
    for (const row of rows) due.push({ lane, ...row })
  }
  return due
}

/**
 * Hops from head to head of the lane's index: the head of a rank and warehouse is the purge that is due there first; after it
 * comes the head of the rank's next warehouse, and after those of a rank the first of the next rank. Each hop is one search.
 * (SQLite would take a comparison of pairs for a walk over everything that is equal to the first.)
 */
function headsDue({ states, since, isDue }: LaneQuery, now: number): RawBuilder<unknown> {
  const headOfRankAbove = (rank: RawBuilder<unknown>) => sql`(
    SELECT id FROM purges WHERE ${states} AND rank > ${rank}
    ORDER BY rank, warehouse, ${since}, id LIMIT 1)`
  return sql`
    WITH RECURSIVE heads (id) AS (
      SELECT ${headOfRankAbove(sql`-2147483648`)}
      UNION ALL
      SELECT coalesce((
        SELECT id FROM purges WHERE ${states} AND rank = head.rank AND warehouse > head.warehouse
        ORDER BY warehouse, ${since}, id LIMIT 1), ${headOfRankAbove(sql`head.rank`)})
      FROM heads CROSS JOIN purges AS head WHERE head.id = heads.id
    )
    SELECT warehouse, rank FROM heads CROSS JOIN purges WHERE purges.id = heads.id AND ${isDue(now)}`
}

/**
 * The purge that is due for longest there. One that another transaction is claiming is passed over: undefined, then, too.
 */
export async function firstDue(
  tx: Transaction,
  { lane, warehouse, rank }: Due,
  now: number,
): Promise<string | undefined> {
  const { states, since, isDue } = lanes[lane]
  // SQLite's write transactions are alone anyway.
  const lock = dialectOf(tx) === 'postgres' ? sql`FOR UPDATE SKIP LOCKED` : sql``
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM purges
    WHERE ${states} AND rank = ${rank} AND warehouse = ${warehouse} AND ${isDue(now)}
    ORDER BY ${since}, id LIMIT 1 ${lock}`.execute(tx)
  return rows[0]?.id
}
