/** A process that adds one to a counter, many times, by reading and writing it: `increment.ts URL TIMES`. */
import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open.ts'

export async function increment(database: Database, times: number): Promise<void> {
  const once = () =>
    database.transaction(async (tx) => {
      const { created_at } = await tx
        .selectFrom('namespaces')
        .select('created_at')
        .where('path', '=', 'counter')
        .$if(database.dialect === 'postgres', (query) => query.forUpdate())
        .executeTakeFirstOrThrow()
      await tx
        .updateTable('namespaces')
        .set({ created_at: created_at + 1 })
        .where('path', '=', 'counter')
        .execute()
    })
  // Four at a time, so that groups of this process meet those of others.
  const lanes = Array.from({ length: 4 }, async (_, lane) => {
    for (let done = lane; done < times; done += 4) await once()
  })
  await Promise.all(lanes)
}

if (import.meta.main) {
  const [url, times] = process.argv.slice(2)
  const database = await openDatabase(url!)
  await increment(database, Number(times))
  await database.close()
}
