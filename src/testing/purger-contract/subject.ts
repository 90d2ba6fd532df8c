/** What is put through the contract suite, and how its tests have it work. */
import assert from 'node:assert/strict'
import {
  type IcebergPurger,
  type Purge,
  type PurgeRun,
  RetryablePurgeError,
  type Stage,
} from '../../purge/purger.ts'
import type { FileIO } from '../../storage/file-io.ts'
import { memoryRuns, type RunMaker } from '../purge-run.ts'
import type { TestRunner } from '../runner.ts'

/** Inspections of one purge until it must be finished. */
const maxInspections = 50

export interface PurgerSubject {
  readonly purger: IcebergPurger
  readonly io: FileIO
  /** A location that holds nothing yet, without a slash at its end. */
  readonly root: string
  /** For a purger that hands off: has the engine elsewhere do all it can about a purge now. */
  work?(purge: Purge, reference: string): Promise<void>
  /**
   * For a purger that erases nothing, and writes down what would be erased: reads what it has written about a purge. It has
   * to be the reach, each path once.
   */
  plan?(purge: Purge): Promise<readonly PlannedPath[]>
  /** Where runs come from: {@link LedgerRuns} for those of a real ledger. @default runs that keep everything in memory */
  readonly runs?: RunMaker
  close(): Promise<void>
}

/** A file of the reach, as a plan has it. */
export interface PlannedPath {
  readonly stage: Stage
  readonly path: string
  /** Name of the rule by which it would stay. */
  readonly kept?: string | undefined
}

export interface Tested extends PurgerSubject {
  readonly runs: RunMaker
  /** Purges as the server does: asks about what was handed off, until it is finished. */
  carryOut(purge: Purge, run: PurgeRun): Promise<void>
}

/** `it` of a test runner, for tests that get a subject of their own. */
export type SubjectTest = (name: string, test: (subject: Tested) => Promise<void>) => void

export function testing(runner: TestRunner, make: () => Promise<PurgerSubject>): SubjectTest {
  return (name, test) => {
    runner.it(name, async () => {
      const subject = await make()
      try {
        await test({ ...subject, runs: subject.runs ?? memoryRuns, carryOut: worker(subject) })
      } finally {
        await subject.close()
      }
    })
  }
}

function worker({ purger, work }: PurgerSubject): Tested['carryOut'] {
  const references = new Map<string, string>()
  return async (purge, given) => {
    const run = notingReference(given, (reference) => references.set(purge.id, reference))
    if (!references.has(purge.id)) {
      const result = await purger.purge(purge, run)
      if (result.kind === 'done') return
      references.set(purge.id, result.reference)
    }
    assert.ok(purger.inspect, 'a purger that hands off has to have inspect')
    assert.ok(work, 'the subject of a purger that hands off has to have work')
    for (let inspections = 0; inspections < maxInspections; inspections++) {
      const reference = references.get(purge.id)!
      await work(purge, reference)
      const inspection = await purger.inspect(purge, reference, run)
      if (inspection.state === 'finished') return
      if (inspection.state === 'running') {
        references.set(purge.id, inspection.reference ?? reference)
        continue
      }
      references.delete(purge.id)
      throw new RetryablePurgeError(inspection.message)
    }
    assert.fail(`not finished after ${maxInspections} inspections`)
  }
}

/** As the server does: what is begun under a reference is asked about, even when nobody learned how `purge` ended. */
function notingReference(run: PurgeRun, note: (reference: string) => void): PurgeRun {
  const begin: PurgeRun['begin'] = async (reference) => {
    await run.begin(reference)
    if (reference !== undefined) note(reference)
  }
  return Object.assign(Object.create(run) as PurgeRun, { begin })
}
