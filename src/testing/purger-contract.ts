/** What every purger promises, as a suite that any implementation can be put through. */
import assert from 'node:assert/strict'
import type { FormatVersion } from '../iceberg/metadata/model.ts'
import {
  type IcebergPurger,
  PermanentPurgeError,
  type Purge,
  type PurgeRun,
  RetryablePurgeError,
  type Stage,
  stages,
} from '../purge/purger.ts'
import { countOf } from '../purge/tally.ts'
import type { FileIO } from '../storage/file-io.ts'
import { memoryRuns, type RunMaker } from './purge-run.ts'
import type { TestRunner } from './runner.ts'
import { type TableOptions, type WrittenTable, writeTable } from './table-writer/table.ts'
import { watchDeletes } from './watched-file-io.ts'

/** The sweep, of files and of versions, is the server's. */
const reachStages = stages.slice(0, stages.indexOf('sweep'))

export interface PurgerSubject {
  readonly purger: IcebergPurger
  readonly io: FileIO
  /** A location that holds nothing yet, without a slash at its end. */
  readonly root: string
  /** For a purger that hands off: has the engine elsewhere do all it can about a purge now. */
  work?(purge: Purge, reference: string): Promise<void>
  /** Where runs come from: {@link LedgerRuns} for those of a real ledger. @default runs that keep everything in memory */
  readonly runs?: RunMaker
  close(): Promise<void>
}

/** Inspections of one purge until it must be finished. */
const maxInspections = 50

interface Tested extends PurgerSubject {
  readonly runs: RunMaker
  /** Purges as the server does: asks about what was handed off, until it is finished. */
  erase(purge: Purge, run: PurgeRun): Promise<void>
}

/** @param make called for every test. */
export function purgerContract(runner: TestRunner, make: () => Promise<PurgerSubject>): void {
  const it = (name: string, test: (subject: Tested) => Promise<void>) =>
    runner.it(name, async () => {
      const subject = await make()
      try {
        await test({ ...subject, runs: subject.runs ?? memoryRuns, erase: eraser(subject) })
      } finally {
        await subject.close()
      }
    })

  runner.describe('purger', () => {
    const shapes: [string, TableOptions][] = [
      ...([1, 2, 3] as FormatVersion[]).map((formatVersion): [string, TableOptions] => [
        `v${formatVersion}`,
        { formatVersion },
      ]),
      ['v1 with embedded manifests', { formatVersion: 1, embedManifests: true }],
      ['uncompressed', { codec: 'null' }],
      ['snappy', { codec: 'snappy' }],
      ['zstandard', { codec: 'zstandard' }],
      ['gzip metadata', { gzip: true }],
      ['without snapshots', { snapshots: 0 }],
      ['many files', { snapshots: 4, filesPerSnapshot: 700 }],
    ]
    for (const [name, options] of shapes) {
      it(`erases all of a table and nothing else: ${name}`, async ({ erase, io, root, runs }) => {
        const table = await writeTable(io, `${root}/test`, options)
        const neighbours = await writeTable(io, `${root}/test2`, options)
        await io.write(`${root}/test.txt`, Buffer.from('mine'))
        const run = await runs.make(table.purge, io)
        await erase(table.purge, run)
        assert.deepEqual(await listed(io, root), [...all(neighbours), `${root}/test.txt`].toSorted())
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

    it('erases leaves before parents, the root last', async ({ erase, io, root, runs }) => {
      const table = await writeTable(io, `${root}/t`)
      const watched = watchDeletes(io)
      await erase(table.purge, await runs.make(table.purge, watched))
      const order = watched.deleted.map((path) =>
        stages.findIndex((stage) => table.files[stage].includes(path)),
      )
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      )
      assert.equal(watched.deleted.at(-1), table.purge.metadataLocation)
    })

    it('keeps what the rule says, and says so', async ({ erase, io, root, runs }) => {
      const lender = await writeTable(io, `${root}/lender`)
      const borrowed = lender.files.data.slice(0, 2)
      const table = await writeTable(io, `${root}/t`, { borrowed })
      const keep = async (paths: readonly string[]) =>
        paths.map((path) => (path.startsWith(`${root}/lender/`) ? 'inside-live-table' : undefined))
      const run = await runs.make(table.purge, io, { keep })
      await erase(table.purge, run)
      assert.deepEqual(await listed(io, root), all(lender).toSorted())
      assert.equal(run.counts().data?.kept, 2)
    })

    it('keeps the data of a table with gc.enabled=false, however it is written', async ({
      erase,
      io,
      root,
      runs,
    }) => {
      for (const value of ['false', 'FALSE', 'False']) {
        const table = await writeTable(io, `${root}/${value}`, { properties: { 'gc.enabled': value } })
        const run = await runs.make(table.purge, io)
        await erase(table.purge, run)
        assert.deepEqual(await listed(io, `${root}/${value}`), table.files.data.toSorted())
        assert.equal(run.counts().data?.kept, table.files.data.length)
      }
    })

    it('leaves the parents of a file that cannot be deleted, names it, and erases it when asked again', async ({
      erase,
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
        await assert.rejects(erase(table.purge, run), RetryablePurgeError)
        const left = await listed(io, `${root}/${stage}`)
        const parents = stages.slice(stages.indexOf(stage) + 1).flatMap((parent) => table.files[parent])
        assert.deepEqual(left, [stubborn, ...parents].toSorted())
        assert.deepEqual(
          (await run.failures()).map(({ path, outcome }) => [path, outcome]),
          [[stubborn, 'failed']],
        )
        await erase(table.purge, await runs.make(table.purge, io, { after: run }))
        assert.deepEqual(await listed(io, `${root}/${stage}`), [])
      }
    })

    it('treats what the store forbids as permanent', async ({ erase, io, root, work, runs }) => {
      const table = await writeTable(io, `${root}/t`)
      const [stage] = stagesOfOwn(work) as [Stage]
      const faulty = watchDeletes(io, (path) =>
        path === table.files[stage][1]
          ? { outcome: 'blocked', code: 'AccessDenied', message: 'locked' }
          : undefined,
      )
      const run = await runs.make(table.purge, faulty)
      await assert.rejects(erase(table.purge, run), PermanentPurgeError)
      assert.deepEqual(
        (await run.failures()).map(({ outcome, code }) => [outcome, code]),
        [['blocked', 'AccessDenied']],
      )
      assert.ok((await listed(io, root)).includes(table.purge.metadataLocation))
    })

    it('stops before anything is lost when a manifest list or manifest is missing or cut short', async ({
      erase,
      io,
      root,
      runs,
    }) => {
      const damage: [Stage, (path: string) => Promise<void>][] = []
      for (const stage of ['manifests', 'manifest-lists'] as const) {
        damage.push([stage, async (path) => void (await io.deleteFiles([path]))])
        damage.push([stage, async (path) => io.write(path, (await io.read(path)).subarray(0, -20))])
        damage.push([stage, async (path) => io.write(path, Buffer.from('garbage'))])
      }
      for (const [number, [stage, harm]] of damage.entries()) {
        const table = await writeTable(io, `${root}/${number}`)
        const path = table.files[stage][1]!
        await harm(path)
        await assert.rejects(erase(table.purge, await runs.make(table.purge, io)), (error: Error) => {
          assert.ok(error instanceof PermanentPurgeError, String(error))
          assert.ok(error.message.includes(path), error.message)
          return true
        })
        const left = new Set(await listed(io, `${root}/${number}`))
        const parents = [...table.files.manifests, ...table.files['manifest-lists'], ...table.files.root]
        for (const parent of parents) if (parent !== path) assert.ok(left.has(parent), `${parent} is gone`)
      }
    })

    it('takes a missing root for an error, not for success', async ({ erase, io, root, runs }) => {
      const table = await writeTable(io, `${root}/t`)
      await io.deleteFiles([table.purge.metadataLocation])
      await assert.rejects(erase(table.purge, await runs.make(table.purge, io)), PermanentPurgeError)
      const left = await listed(io, root)
      assert.equal(left.length, all(table).length - 1)
    })

    it('does not mind files that are gone already', async ({ erase, io, root, runs }) => {
      const table = await writeTable(io, `${root}/t`)
      await io.deleteFiles([
        ...table.files.data.slice(0, 3),
        ...table.files.metadata,
        ...table.files.statistics,
      ])
      await erase(table.purge, await runs.make(table.purge, io))
      assert.deepEqual(await listed(io, root), [])
    })

    it('can be cut off at every batch and begun again', async ({ erase, io, root, work, runs }) => {
      for (let cut = 0; ; cut++) {
        const table = await writeTable(io, `${root}/${cut}`, { snapshots: 2 })
        const controller = new AbortController()
        const dying = watchDeletes(io, (_path, batch) => {
          if (batch < cut) return undefined
          controller.abort(new Error('the lease is lost'))
          throw controller.signal.reason
        })
        const run = await runs.make(table.purge, dying, { signal: controller.signal })
        const finished = await erase(table.purge, run).then(
          () => true,
          () => false,
        )
        if (finished) {
          assert.deepEqual(await listed(io, `${root}/${cut}`), [])
          assert.ok(cut > stagesOfOwn(work).length)
          return
        }
        await erase(table.purge, await runs.make(table.purge, io, { after: run }))
        assert.deepEqual(await listed(io, `${root}/${cut}`), [])
      }
    })

    it('can be cut off between an answer and its being noted', async ({ erase, io, root, work, runs }) => {
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
        await assert.rejects(erase(table.purge, run))
        await erase(table.purge, await runs.make(table.purge, io, { after: run }))
        assert.deepEqual(await listed(io, `${root}/${cut}`), [])
      }
    })

    it('begins anew when it was done already, or when what it had handed off was cancelled', async ({
      erase,
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
      await erase(table.purge, await runs.make(table.purge, io, { after: run }))
      assert.deepEqual(await listed(io, root), all(neighbour).toSorted())
    })

    it('erases nothing more once it is told to stop', async ({ erase, io, root, runs }) => {
      const table = await writeTable(io, `${root}/t`)
      const signal = AbortSignal.abort(new Error('stop'))
      await assert.rejects(erase(table.purge, await runs.make(table.purge, io, { signal })))
      assert.deepEqual(await listed(io, root), all(table).toSorted())
    })
  })
}

/** Stages but the root's in which it is the purger that deletes, so that a fault can be put there. */
function stagesOfOwn(work: PurgerSubject['work']): Stage[] {
  return reachStages.filter((stage) => stage !== 'root' && !(work && stage === 'data'))
}

function eraser({ purger, work }: PurgerSubject): Tested['erase'] {
  const references = new Map<string, string>()
  return async (purge, run) => {
    if (!references.has(purge.id)) {
      const result = await purger.purge(purge, run)
      if (result.kind === 'done') return
      references.set(purge.id, result.reference)
    }
    const reference = references.get(purge.id)!
    assert.ok(purger.inspect, 'a purger that hands off has to have inspect')
    assert.ok(work, 'the subject of a purger that hands off has to have work')
    for (let inspections = 0; inspections < maxInspections; inspections++) {
      await work(purge, reference)
      const inspection = await purger.inspect(purge, reference, run)
      if (inspection.state === 'finished') return
      if (inspection.state === 'running') continue
      references.delete(purge.id)
      throw new RetryablePurgeError(inspection.message)
    }
    assert.fail(`not finished after ${maxInspections} inspections`)
  }
}

function all(table: WrittenTable): string[] {
  return stages.flatMap((stage) => table.files[stage])
}

async function listed(io: FileIO, location: string): Promise<string[]> {
  const found: string[] = []
  for await (const file of io.list(location)) found.push(file.location)
  return found.toSorted()
}
