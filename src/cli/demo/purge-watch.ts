import type { Database } from '../../database/database.ts'
import { openDatabase } from '../../database/open.ts'
import { Ledger } from '../../purge/ledger/ledger.ts'
import { type Outcome, type OutcomeCounts, outcomes, type Stage, stages } from '../../purge/purger.ts'
import type { PurgeState } from '../../purge/states.ts'

/** A purge as the ledger has it. */
export interface PurgeRecord {
  readonly state: PurgeState
  readonly counts: OutcomeCounts
  readonly lastError?: string | undefined
}

/** Reads the one purge of the demo's ledger through a connection of its own, as an operator would. */
export class PurgeWatch implements AsyncDisposable {
  readonly #database: Database
  readonly #ledger: Ledger

  static async open(url: string): Promise<PurgeWatch> {
    return new PurgeWatch(await openDatabase(url))
  }

  private constructor(database: Database) {
    this.#database = database
    this.#ledger = new Ledger(database)
  }

  /** Undefined before the drop has committed. */
  async read(): Promise<PurgeRecord | undefined> {
    const [record] = await this.#ledger.list(1)
    return record
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close()
  }
}

/** Number of paths with this outcome, of one stage or of all. */
export function count(counts: OutcomeCounts, outcome: Outcome, stage?: Stage): number {
  const counted: readonly Stage[] = stage === undefined ? stages : [stage]
  return counted.reduce((sum, each) => sum + (counts[each]?.[outcome] ?? 0), 0)
}

/** Number of files whose fate is known. (`absent` counts files that several manifests list once more.) */
export function settled({ counts }: PurgeRecord): number {
  return outcomes
    .filter((outcome) => outcome !== 'absent')
    .reduce((sum, outcome) => sum + count(counts, outcome), 0)
}

/** The last stage in which something has happened, in a reader's words. */
export function currentStage({ counts }: PurgeRecord): string {
  const reached = stages.filter((stage) => counts[stage] !== undefined).at(-1) ?? 'data'
  return stageNames[reached]
}

export const stageNames: Readonly<Record<Stage, string>> = {
  data: 'data and delete files',
  manifests: 'manifests',
  'manifest-lists': 'manifest lists',
  statistics: 'statistics',
  metadata: 'older metadata files',
  root: 'the root metadata file',
  sweep: 'whatever else lies at its location',
  versions: 'old versions',
}
