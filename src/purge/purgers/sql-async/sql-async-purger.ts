import { eraseReach } from '../../erase-reach.ts'
import type { IcebergPurger, Purge, PurgeResult, PurgeRun } from '../../purger.ts'

/** `DELETE` answers as soon as the drop and the purge are durable; the engine erases the files behind it. */
export class SqlAsyncPurger implements IcebergPurger {
  readonly name = 'sql-async'
  readonly waits = false

  async purge(purge: Purge, run: PurgeRun): Promise<PurgeResult> {
    return await eraseReach(purge, run)
  }
}
