import { eraseReach } from '../../erase-reach.ts'
import type { IcebergPurger, Purge, PurgeResult, PurgeRun } from '../../purger.ts'

/** Erases everything before `DELETE` is answered. For small tables, and for those who want to know at once. */
export class SynchronousPurger implements IcebergPurger {
  readonly name = 'synchronous'
  readonly waits = true

  async purge(purge: Purge, run: PurgeRun): Promise<PurgeResult> {
    return await eraseReach(purge, run)
  }
}
