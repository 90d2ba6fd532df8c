import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { IcebergPurger, Purge, PurgeRun } from '../../src/purge/purger.ts'
import { SqlAsyncPurger } from '../../src/purge/purgers/sql-async/sql-async-purger.ts'
import { addCounts, countOf } from '../../src/purge/tally.ts'
import { type ReachPart, walkReach } from '../../src/purge/walk-reach.ts'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import {
  type PlannedPath,
  type PurgerContractOptions,
  purgerContract,
} from '../../src/testing/purger-contract.ts'

/** Notes what would be erased; as others would write it. */
class Noting implements IcebergPurger {
  readonly name = 'noting'
  readonly waits = false
  readonly erases: boolean = false
  readonly plans = new Map<string, PlannedPath[]>()

  async purge(purge: Purge, run: PurgeRun) {
    if (this.isDone(run)) return { kind: 'done' } as const
    const plan: PlannedPath[] = []
    let counts = {}
    for await (const part of walkReach(purge, run)) {
      const { stage } = part
      const files = this.choose(part)
      const rules = await run.keep(files.map(({ path }) => path))
      const noted = files.map(({ path }, index) => ({ stage, path, kept: part.rule ?? rules[index] }))
      plan.push(...noted)
      const kept = { [stage]: { kept: noted.length } }
      run.progress(kept)
      counts = addCounts(counts, kept)
    }
    this.plans.set(purge.id, plan)
    const rules = { noting: countOf(counts, 'kept') }
    run.save({ isNoted: true }, { tally: { counts, bytes: {}, rules } })
    return { kind: 'done' } as const
  }

  isDone({ checkpoint }: PurgeRun): boolean {
    return checkpoint !== undefined
  }

  choose({ files }: ReachPart): ReachPart['files'] {
    return files
  }
}

/** Puts a purger through the suite; gives the names of the tests that fail, and how many there are. */
async function failures(
  make: () => IcebergPurger & { readonly plans?: ReadonlyMap<string, PlannedPath[]> },
  options?: PurgerContractOptions,
): Promise<{ failed: string[]; count: number }> {
  const tests: [string, () => Promise<void>][] = []
  const runner = {
    describe: (_name: string, define: () => void) => define(),
    it: (name: string, test: () => Promise<void>) => tests.push([name, test]),
  }
  const subject = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-contract-'))
    const purger = make()
    const { plans } = purger
    return {
      purger,
      io: new LocalFileIO([folder]),
      root: `file://${folder}/lake`,
      ...(plans && { plan: async ({ id }: Purge) => plans.get(id) ?? [] }),
      close: async () => rmSync(folder, { recursive: true, force: true }),
    }
  }
  purgerContract(runner, subject, options)
  const failed: string[] = []
  for (const [name, test] of tests) await test().catch(() => failed.push(name))
  return { failed, count: tests.length }
}

const auditing = { erases: false }

describe('the contract of purgers that erase nothing', () => {
  it('is kept by one that keeps it', async () => {
    const { failed, count } = await failures(() => new Noting(), auditing)
    expect(failed).toEqual([])
    expect(count).toBeGreaterThan(15)
  })

  it('is not kept by one that erases', async () => {
    const { failed } = await failures(() => Object.assign(new SqlAsyncPurger(), { erases: false }), auditing)
    expect(failed).toContain('keeps every file of a table, once: v2')
    expect(failed).toContain('keeps every file of a view, once')
  })

  it('is not kept by one that does not declare it, for which the server would sweep', async () => {
    class Undeclared extends Noting {
      override readonly erases = true
    }
    const { failed } = await failures(() => new Undeclared(), auditing)
    expect(failed).toEqual(['declares that it erases nothing, so that the server sweeps nothing after it'])
  })

  it('is not kept by one that counts twice what it does twice', async () => {
    class Forgetful extends Noting {
      override isDone(): boolean {
        return false
      }
    }
    const { failed } = await failures(() => new Forgetful(), auditing)
    expect(failed).toContain('keeps each file once, too, when it is begun again after it was done')
    expect(failed).not.toContain('keeps every file of a table, once: v2')
  })

  it('is not kept by one that leaves something out', async () => {
    class Superficial extends Noting {
      override choose({ stage, files }: ReachPart): ReachPart['files'] {
        return stage === 'statistics' ? [] : files
      }
    }
    const { failed } = await failures(() => new Superficial(), auditing)
    expect(failed).toContain('keeps every file of a table, once: v1')
  })
})

describe('the contract of purgers', () => {
  it('is not kept by one that erases nothing', async () => {
    const { failed } = await failures(() => new Noting())
    expect(failed).toContain('erases all of a table and nothing else: v2')
    expect(failed).toContain('erases all of a view and nothing else')
  })
})
