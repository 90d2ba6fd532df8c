/** The contract of a purger that erases. */
import assert from 'node:assert/strict'
import { PermanentPurgeError, RetryablePurgeError, type Stage, stages } from '../../purge/purger.ts'
import { countOf } from '../../purge/tally.ts'
import type { FileIO } from '../../storage/file-io.ts'
import { writeTable } from '../table-writer/table.ts'
import { writeView } from '../table-writer/view.ts'
import { watchDeletes } from '../watched-file-io.ts'
import type { PurgerSubject, SubjectTest } from './subject.ts'
import { allOf, damages, listed, tableShapes } from './tables.ts'

/** The sweep, of files and of versions, is the server's. */
const reachStages = stages.slice(0, stages.indexOf('sweep'))

export function erasingTests(it: SubjectTest): void {
  it('does not declare that it erases nothing', async ({ purger }) => {
    assert.notEqual(purger.erases, false)
  })

  for (const [name, options] of tableShapes) {
    it(`erases all of a table and nothing else: ${name}`, async ({ carryOut, io, root, runs }) => {
      const table = await writeTable(io, `${root}/test`, options)
      const neighbours = await writeTable(io, `${root}/test2`, options)
      await io.write(`${root}/test.txt`, Buffer.from('mine'))
      const run = await runs.make(table.purge, io)
      await carryOut(table.purge, run)
      assert.deepEqual(await listed(io, root), [...allOf(neighbours), `${root}/test.txt`].toSorted())
      for (const stage of stages) {
        const { deleted = 0, absent = 0 } = run.counts()[stage] ?? {}
        assert.ok(
          deleted + absent >= table.files[stage].length,
          `${stage}: ${deleted} deleted, ${absent} absent`,
        )
      }
      assert.equal(countOf(run.counts(), 'failed') + countOf(run.counts(), 'blocked'), 0)
    })
  }

  it('erases all of a view and nothing else', async ({ carryOut, io, root, runs }) => {
    const view = await writeView(io, `${root}/v`)
    const neighbour = await writeView(io, `${root}/v2`)
    const run = await runs.make(view.purge, io)
    await carryOut(view.purge, run)
    assert.deepEqual(await listed(io, root), allOf(neighbour).toSorted())
    assert.equal(countOf(run.counts(), 'deleted'), allOf(view).length)
  })

  it('erases leaves before parents, the root last', async ({ carryOut, io, root, runs }) => {
    const table = await writeTable(io, `${root}/t`)
    const watched = watchDeletes(io)
    await carryOut(table.purge, await runs.make(table.purge, watched))
    const order = watched.deleted.map((path) =>
      stages.findIndex((stage) => table.files[stage].includes(path)),
    )
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    )
    assert.equal(watched.deleted.at(-1), table.purge.metadataLocation)
  })

  it('keeps what the rule says, and says so', async ({ carryOut, io, root, runs }) => {
    const lender = await writeTable(io, `${root}/lender`)
    const borrowed = lender.files.data.slice(0, 2)
    const table = await writeTable(io, `${root}/t`, { borrowed })
    const keep = async (paths: readonly string[]) =>
      paths.map((path) => (path.startsWith(`${root}/lender/`) ? 'inside-live-table' : undefined))
    const run = await runs.make(table.purge, io, { keep })
    await carryOut(table.purge, run)
    assert.deepEqual(await listed(io, root), allOf(lender).toSorted())
    assert.equal(run.counts().data?.kept, 2)
  })

  it('keeps the data of a table with gc.enabled=false, however it is written', async ({
    carryOut,
    io,
    root,
    runs,
  }) => {
    for (const value of ['false', 'FALSE', 'False']) {
      const table = await writeTable(io, `${root}/${value}`, { properties: { 'gc.enabled': value } })
      const run = await runs.make(table.purge, io)
      await carryOut(table.purge, run)
      assert.deepEqual(await listed(io, `${root}/${value}`), table.files.data.toSorted())
      assert.equal(run.counts().data?.kept, table.files.data.length)
    }
  })

  it('leaves the parents of a file that cannot be deleted, names it, and erases it when asked again', async ({
    carryOut,
    io,
    root,
    runs,
    work,
  }) => {
    for (const stage of stagesOfOwn(work)) {
      const table = await writeTable(io, `${root}/${stage}`)
      const stubborn = table.files[stage][0]!
      const faulty = watchDeletes(io, (path) =>
        path === stubborn ? { outcome: 'failed', code: 'InternalError', message: 'no' } : undefined,
      )
      const run = await runs.make(table.purge, faulty)
      await assert.rejects(carryOut(table.purge, run), RetryablePurgeError)
      const left = await listed(io, `${root}/${stage}`)
      const parents = stages.slice(stages.indexOf(stage) + 1).flatMap((parent) => table.files[parent])
      assert.deepEqual(left, [stubborn, ...parents].toSorted())
      assert.deepEqual(
        (await run.failures()).map(({ path, outcome }) => [path, outcome]),
        [[stubborn, 'failed']],
      )
      await carryOut(table.purge, await runs.make(table.purge, io, { after: run }))
      assert.deepEqual(await listed(io, `${root}/${stage}`), [])
    }
  })

  it('treats what the store forbids as permanent', async ({ carryOut, io, root, work, runs }) => {
    const table = await writeTable(io, `${root}/t`)
    const [stage] = stagesOfOwn(work) as [Stage]
    const faulty = watchDeletes(io, (path) =>
      path === table.files[stage][1]
        ? { outcome: 'blocked', code: 'AccessDenied', message: 'locked' }
        : undefined,
    )
    const run = await runs.make(table.purge, faulty)
    await assert.rejects(carryOut(table.purge, run), PermanentPurgeError)
    assert.deepEqual(
      (await run.failures()).map(({ outcome, code }) => [outcome, code]),
      [['blocked', 'AccessDenied']],
    )
    assert.ok((await listed(io, root)).includes(table.purge.metadataLocation))
  })

  it('stops before anything is lost when a manifest list or manifest is missing or cut short', async ({
    carryOut,
    io,
    root,
    runs,
  }) => {
    for (const [number, [stage, harm]] of damages(io).entries()) {
      const table = await writeTable(io, `${root}/${number}`)
      const path = table.files[stage][1]!
      await harm(path)
      await assert.rejects(carryOut(table.purge, await runs.make(table.purge, io)), (error: Error) => {
        assert.ok(error instanceof PermanentPurgeError, String(error))
        assert.ok(error.message.includes(path), error.message)
        return true
      })
      const left = new Set(await listed(io, `${root}/${number}`))
      const parents = [...table.files.manifests, ...table.files['manifest-lists'], ...table.files.root]
      for (const parent of parents) if (parent !== path) assert.ok(left.has(parent), `${parent} is gone`)
    }
  })

  it('takes a missing root for an error, not for success', async ({ carryOut, io, root, runs }) => {
    const table = await writeTable(io, `${root}/t`)
    await io.deleteFiles([table.purge.metadataLocation])
    await assert.rejects(carryOut(table.purge, await runs.make(table.purge, io)), PermanentPurgeError)
    const left = await listed(io, root)
    assert.equal(left.length, allOf(table).length - 1)
  })

  it('does not mind files that are gone already', async ({ carryOut, io, root, runs }) => {
    const table = await writeTable(io, `${root}/t`)
    await io.deleteFiles([
      ...table.files.data.slice(0, 3),
      ...table.files.metadata,
      ...table.files.statistics,
    ])
    await carryOut(table.purge, await runs.make(table.purge, io))
    assert.deepEqual(await listed(io, root), [])
  })

  it('can be cut off at every batch and begun again', async ({ carryOut, io, root, work, runs }) => {
    for (let cut = 0; ; cut++) {
      const table = await writeTable(io, `${root}/${cut}`, { snapshots: 2 })
      const controller = new AbortController()
      const dying = watchDeletes(io, (_path, batch) => {
        if (batch < cut) return undefined
        controller.abort(new Error('the lease is lost'))
        throw controller.signal.reason
      })
      const run = await runs.make(table.purge, dying, { signal: controller.signal })
      const finished = await carryOut(table.purge, run).then(
        () => true,
        () => false,
      )
      if (finished) {
        assert.deepEqual(await listed(io, `${root}/${cut}`), [])
        assert.ok(cut > stagesOfOwn(work).length)
        return
      }
      await carryOut(table.purge, await runs.make(table.purge, io, { after: run }))
      assert.deepEqual(await listed(io, `${root}/${cut}`), [])
    }
  })

  it('can be cut off between an answer and its being noted', async ({ carryOut, io, root, work, runs }) => {
    for (let cut = 0; cut <= stagesOfOwn(work).length; cut++) {
      const table = await writeTable(io, `${root}/${cut}`, { snapshots: 2 })
      let batches = 0
      const dying = watchDeletes(io)
      const { deleteFiles } = dying
      const losing: FileIO = {
        ...dying,
        deleteFiles: async (paths, options) => {
          await deleteFiles(paths, options)
          if (batches++ >= cut) throw new Error('the answer is lost')
          return paths.map(() => ({ outcome: 'deleted' }))
        },
      }
      const run = await runs.make(table.purge, losing)
      await assert.rejects(carryOut(table.purge, run))
      await carryOut(table.purge, await runs.make(table.purge, io, { after: run }))
      assert.deepEqual(await listed(io, `${root}/${cut}`), [])
    }
  })

  it('begins anew when it was done already, or when what it had handed off was cancelled', async ({
    carryOut,
    io,
    root,
    runs,
    purger,
  }) => {
    const table = await writeTable(io, `${root}/t`)
    const neighbour = await writeTable(io, `${root}/t2`)
    const run = await runs.make(table.purge, io)
    const result = await purger.purge(table.purge, run)
    if (result.kind === 'handed_off') await purger.cancel?.(table.purge, result.reference, run)
    await carryOut(table.purge, await runs.make(table.purge, io, { after: run }))
    assert.deepEqual(await listed(io, root), allOf(neighbour).toSorted())
  })

  it('erases nothing more once it is told to stop', async ({ carryOut, io, root, runs }) => {
    const table = await writeTable(io, `${root}/t`)
    const signal = AbortSignal.abort(new Error('stop'))
    await assert.rejects(carryOut(table.purge, await runs.make(table.purge, io, { signal })))
    assert.deepEqual(await listed(io, root), allOf(table).toSorted())
  })
}

/** Stages but the root's in which it is the purger that deletes, so that a fault can be put there. */
function stagesOfOwn(work: PurgerSubject['work']): Stage[] {
  return reachStages.filter((stage) => stage !== 'root' && !(work && stage === 'data'))
}
