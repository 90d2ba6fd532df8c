/** What every purger promises, as a suite that any implementation can be put through. */
import { auditingTests } from './purger-contract/auditing.ts'
import { erasingTests } from './purger-contract/erasing.ts'
import { type PurgerSubject, testing } from './purger-contract/subject.ts'
import type { TestRunner } from './runner.ts'

export type { PlannedPath, PurgerSubject } from './purger-contract/subject.ts'

export interface PurgerContractOptions {
  /**
   * False for a purger that erases nothing, as it has to declare ({@link IcebergPurger.erases}): then every file has to stay,
   * and the outcome of every path of the reach to be `kept`, once. @default true
   */
  readonly erases?: boolean
}

/** @param make called for every test. */
export function purgerContract(
  runner: TestRunner,
  make: () => Promise<PurgerSubject>,
  { erases = true }: PurgerContractOptions = {},
): void {
  const it = testing(runner, make)
  runner.describe(erases ? 'purger' : 'purger that erases nothing', () => {
    if (erases) erasingTests(it)
    else auditingTests(it)
  })
}
