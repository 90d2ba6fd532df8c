import fc from 'fast-check'
import { describe, it } from 'vitest'
import { createDatabase, dialects } from '../../src/testing/databases.ts'
import { tableCount } from './command.ts'
import { commands } from './commands.ts'
import { Model } from './model.ts'
import { Real } from './real.ts'

/** Runs on each database; more with MOULIN_RUNS. */
const runs = Number(process.env.MOULIN_RUNS ?? 40)

describe.each(dialects)('the ledger on %s', (dialect) => {
  it(
    `does what the model does, in ${runs} random lives of purges`,
    async () => {
      await using test = await createDatabase(dialect)
      await fc.assert(
        fc.asyncProperty(fc.commands(commands, { maxCommands: 80, size: 'max' }), async (cmds) => {
          const real = await Real.make(test.database, tableCount)
          await fc.asyncModelRun(() => ({ model: new Model(tableCount), real }), cmds)
        }),
        { numRuns: runs, endOnFailure: true, verbose: 1 },
      )
    },
    60_000 + runs * 2_000,
  )
})
