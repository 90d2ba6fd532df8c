import { joinLocation } from '../../../storage/location.ts'
import { type Checkpoint, checkpointOf } from '../../checkpoint.ts'
import { Batch } from '../../deletion/batch.ts'
import type { Attachment, IcebergPurger, Purge, PurgeResult, PurgeRun } from '../../purger.ts'
import { addTallies, emptyTally } from '../../tally.ts'
import { walkReach } from '../../walk-reach.ts'
import { PlanWriter } from './plan-writer.ts'

/** The name of the rule in the account. */
const rule = 'audit-only'

/** What is saved once the plan is written. */
interface Audited extends Partial<Checkpoint> {
  readonly plan?: Attachment
}

/**
 * Erases nothing. Writes which files a purge would erase, and finishes with every path kept: the catalog forgets the table,
 * its location is free again, and its files are somebody else's to keep or to delete.
 */
export class AuditOnlyPurger implements IcebergPurger {
  readonly name = 'audit-only'
  readonly waits = false
  readonly erases = false
  readonly #planLocation: string

  /** @param planLocation where plans go, a folder for each purge. */
  constructor(planLocation: string) {
    this.#planLocation = planLocation
  }

  /** Not resumed but begun again when it was cut off: it only reads, and writes the same plan. Once written, that counts. */
  async purge(purge: Purge, run: PurgeRun): Promise<PurgeResult> {
    const { plan: written } = (run.checkpoint ?? {}) as Audited
    if (written) return { kind: 'done', attachments: [written] }
    const plan = new PlanWriter(run.io, joinLocation(this.#planLocation, purge.id))
    let tally = emptyTally
    let digest: Checkpoint['paths']
    for await (const part of walkReach(purge, run)) {
      const rules = part.rule
        ? part.files.map(() => part.rule)
        : await run.keep(part.files.map(({ path }) => path))
      await plan.add(part.stage, part.files, rules)
      const batch = new Batch(part.stage)
      for (const file of part.files) batch.add(file)
      batch.keep(part.files.map(() => rule))
      run.progress(batch.counts())
      tally = addTallies(tally, batch.tally())
      digest = part.paths ?? digest
    }
    const attachment = await plan.end()
    // A purger that erases, and is configured before the purge is over, begins at the beginning.
    const audited: Audited = { ...checkpointOf(undefined), paths: digest, plan: attachment }
    run.save(audited, { tally })
    return { kind: 'done', attachments: [attachment] }
  }
}
