/** The contract of a purger that erases nothing: every file stays, and every path of the reach is `kept`, once. */
import assert from 'node:assert/strict'
import { type OutcomeCounts, PermanentPurgeError, type Stage, stages } from '../../purge/purger.ts'
import type { FileIO } from '../../storage/file-io.ts'
import { dyingAt, type LastRequest } from '../dying-file-io.ts'
import type { TestRun } from '../purge-run.ts'
import { type WrittenTable, writeTable } from '../table-writer/table.ts'
import { writeView } from '../table-writer/view.ts'
import type { PlannedPath, SubjectTest, Tested } from './subject.ts'
import { damages, tableShapes } from './tables.ts'

export function auditingTests(it: SubjectTest): void {
  it('declares that it erases nothing, so that the server sweeps nothing after it', async ({ purger }) => {
    assert.equal(purger.erases, false)
  })

  for (const [name, options] of tableShapes) {
    it(`keeps every file of a table, once: ${name}`, async (subject) => {
      const { carryOut, io, root, runs } = subject
      const table = await writeTable(io, `${root}/test`, options)
      await writeTable(io, `${root}/test2`, options)
      const before = await snapshot(io, root)
      const run = await runs.make(table.purge, io)
      await carryOut(table.purge, run)
      assert.deepEqual(await snapshot(io, root), before)
      assert.deepEqual(run.counts(), keptOf(table))
      await expectKept(subject, run, table)
    })
  }

  it('keeps every file of a view, once', async (subject) => {
    const { carryOut, io, root, runs } = subject
    const view = await writeView(io, `${root}/v`)
    await writeView(io, `${root}/v2`)
    const before = await snapshot(io, root)
    const run = await runs.make(view.purge, io)
    await carryOut(view.purge, run)
    assert.deepEqual(await snapshot(io, root), before)
    assert.deepEqual(run.counts(), keptOf(view))
    await expectKept(subject, run, view)
  })

  it('keeps what the rule says, too', async (subject) => {
    const { carryOut, io, root, runs } = subject
    const lender = await writeTable(io, `${root}/lender`)
    const borrowed = lender.files.data.slice(0, 2)
    const table = await writeTable(io, `${root}/t`, { borrowed })
    const ruleOf = (path: string) => (path.startsWith(`${root}/lender/`) ? 'inside-live-table' : undefined)
    const before = await snapshot(io, root)
    const run = await runs.make(table.purge, io, { keep: async (paths) => paths.map(ruleOf) })
    await carryOut(table.purge, run)
    assert.deepEqual(await snapshot(io, root), before)
    const files = { ...table.files, data: [...table.files.data, ...borrowed] }
    await expectKept(subject, run, { ...table, files }, (_stage, path) => ruleOf(path))
  })

  it('keeps the data of a table with gc.enabled=false, too, however it is written', async (subject) => {
    const { carryOut, io, root, runs } = subject
    for (const value of ['false', 'FALSE', 'False']) {
      const table = await writeTable(io, `${root}/${value}`, { properties: { 'gc.enabled': value } })
      const before = await snapshot(io, root)
      const run = await runs.make(table.purge, io)
      await carryOut(table.purge, run)
      assert.deepEqual(await snapshot(io, root), before)
      await expectKept(subject, run, table, (stage) => (stage === 'data' ? 'gc.enabled=false' : undefined))
    }
  })

  it('says which manifest list or manifest is missing or cut short', async ({ carryOut, io, root, runs }) => {
    for (const [number, [stage, harm]] of damages(io).entries()) {
      const table = await writeTable(io, `${root}/${number}`)
      const path = table.files[stage][1]!
      await harm(path)
      const before = await snapshot(io, root)
      await assert.rejects(carryOut(table.purge, await runs.make(table.purge, io)), (error: Error) => {
        assert.ok(error instanceof PermanentPurgeError, String(error))
        assert.ok(error.message.includes(path), error.message)
        return true
      })
      assert.deepEqual(await snapshot(io, root), before)
    }
  })

  it('takes a missing root for an error, not for success', async ({ carryOut, io, root, runs }) => {
    const table = await writeTable(io, `${root}/t`)
    await io.deleteFiles([table.purge.metadataLocation])
    const before = await snapshot(io, root)
    await assert.rejects(carryOut(table.purge, await runs.make(table.purge, io)), PermanentPurgeError)
    assert.deepEqual(await snapshot(io, root), before)
  })

  it('does not mind files that are gone already', async ({ carryOut, io, root, runs }) => {
    const table = await writeTable(io, `${root}/t`)
    await io.deleteFiles([
      ...table.files.data.slice(0, 3),
      ...table.files.metadata,
      ...table.files.statistics,
    ])
    const before = await snapshot(io, root)
    const run = await runs.make(table.purge, io)
    await carryOut(table.purge, run)
    assert.deepEqual(await snapshot(io, root), before)
    // Whether it looks at all is its own affair.
    const { counts } = run.tally()
    for (const stage of stages) {
      const { kept = 0, absent = 0, ...others } = counts[stage] ?? {}
      assert.deepEqual([kept + absent, others], [table.files[stage].length, {}], stage)
    }
  })

  for (const last of ['unasked', 'unheard'] as const) {
    it(`can be cut off at every request, ${last}, and begun again`, async (subject) => {
      let cut = 0
      while (await isCutOff(subject, cut, last)) cut++
      assert.ok(cut > 3, `it made ${cut} requests, and read the table by others than run.io`)
    })
  }

  it('keeps each file once, too, when it is begun again after it was done', async (subject) => {
    const { carryOut, io, root, runs } = subject
    const table = await writeTable(io, `${root}/t`)
    const before = await snapshot(io, root)
    const run = await runs.make(table.purge, io)
    await carryOut(table.purge, run)
    const again = await runs.make(table.purge, io, { after: run })
    await carryOut(table.purge, again)
    assert.deepEqual(await snapshot(io, root), before)
    await expectKept(subject, again, table)
  })

  it('ends when it is told to stop', async ({ carryOut, io, root, runs }) => {
    const table = await writeTable(io, `${root}/t`)
    const before = await snapshot(io, root)
    const signal = AbortSignal.abort(new Error('stop'))
    await assert.rejects(carryOut(table.purge, await runs.make(table.purge, io, { signal })))
    assert.deepEqual(await snapshot(io, root), before)
  })
}

/** Has the process die at one request, and another one go on. False when there were not so many requests. */
async function isCutOff(subject: Tested, cut: number, last: LastRequest): Promise<boolean> {
  const { carryOut, io, root, runs } = subject
  const table = await writeTable(io, `${root}/${cut}`, { snapshots: 2 })
  const before = await snapshot(io, root)
  const controller = new AbortController()
  const dying = dyingAt(io, cut, last, () => {
    controller.abort(new Error('the lease is lost'))
    return controller.signal.reason as Error
  })
  let run = await runs.make(table.purge, dying, { signal: controller.signal })
  // It is only its end that counts: it may have read what it needs.
  await carryOut(table.purge, run).catch(() => undefined)
  if (controller.signal.aborted) {
    run = await runs.make(table.purge, io, { after: run })
    await carryOut(table.purge, run)
  }
  assert.deepEqual(await snapshot(io, root), before)
  await expectKept(subject, run, table)
  return controller.signal.aborted
}

/** What has to stand in the ledger, and in the plan if there is one. */
async function expectKept(
  { plan }: Tested,
  run: TestRun,
  table: Pick<WrittenTable, 'purge' | 'files'>,
  ruleOf: (stage: Stage, path: string) => string | undefined = () => undefined,
): Promise<void> {
  const { counts, rules } = run.tally()
  assert.deepEqual(counts, keptOf(table))
  const total = stages.reduce((sum, stage) => sum + table.files[stage].length, 0)
  assert.equal(
    Object.values(rules).reduce((sum, count) => sum + count, 0),
    total,
    'each path that is kept is kept by a rule',
  )
  if (!plan) return
  const expected = stages.flatMap((stage) =>
    table.files[stage].map((path) => ({ stage, path, kept: ruleOf(stage, path) })),
  )
  assert.deepEqual(asLines(await plan(table.purge)), asLines(expected))
}

function keptOf({ files }: Pick<WrittenTable, 'files'>): OutcomeCounts {
  const named = stages.filter((stage) => files[stage].length > 0)
  return Object.fromEntries(named.map((stage) => [stage, { kept: files[stage].length }]))
}

function asLines(paths: readonly PlannedPath[]): string[] {
  return paths.map(({ stage, path, kept = '' }) => `${stage} ${path} ${kept}`).toSorted()
}

/** Every file, and how large it is. */
async function snapshot(io: FileIO, location: string): Promise<string[]> {
  const found: string[] = []
  for await (const file of io.list(location)) found.push(`${file.location} ${file.size}`)
  return found.toSorted()
}
