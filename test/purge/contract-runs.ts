import type { Dialect } from '../../src/database/database.ts'
import { createDatabase } from '../../src/testing/databases.ts'
import { LedgerRuns } from '../../src/testing/ledger-runs.ts'
import type { RunMaker } from '../../src/testing/purge-run.ts'

/** Runs over a ledger in a fresh database. */
export async function ledgerRuns(dialect: Dialect): Promise<RunMaker & { close(): Promise<void> }> {
  const database = await createDatabase(dialect)
  const runs = await LedgerRuns.open(database.url)
  return {
    make: (...given) => runs.make(...given),
    close: async () => {
      await runs.close()
      await database.close()
    },
  }
}
