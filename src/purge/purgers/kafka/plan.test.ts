import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ManifestFile } from '../../../iceberg/manifests/manifest-list.ts'
import { PermanentPurgeError, type Purge } from '../../purger.ts'
import { heaviestFirst, makePlan, nextGeneration, taskMessages } from './plan.ts'

const purge: Purge = {
  id: 'p',
  kind: 'table',
  warehouse: 'lake',
  namespace: ['ns'],
  name: 't',
  uuid: undefined,
  metadataLocation: 's3://b/t/metadata/1.metadata.json',
  locations: [{ location: 's3://b/t', owned: true }],
  request: { principal: 'p', requestId: 'r', client: 'c', requestedAt: 0 },
}

const manifest = (entryCount: number | undefined, pathLength = 20): ManifestFile => ({
  path: 'm'.repeat(pathLength),
  length: 7,
  content: 'data',
  entryCount,
  encrypted: false,
})

const terms = { keep: ['s3://b/t/other'], until: 0 }

it('gives every manifest to one task, in their order, none of them larger than asked unless alone', () => {
  const counts = fc.array(fc.option(fc.nat({ max: 300 }), { nil: undefined }), {
    minLength: 1,
    maxLength: 60,
  })
  fc.assert(
    fc.property(counts, fc.integer({ min: 1, max: 400 }), (entryCounts, taskEntries) => {
      const manifests = entryCounts.map((count) => manifest(count))
      const plan = makePlan(manifests, 4, taskEntries)
      const tasks = [...taskMessages(purge, plan, manifests, { ...terms, tasks: plan.tasks })]
      expect(tasks.map(({ task }) => task)).toEqual(plan.tasks)
      expect(tasks.flatMap((task) => task.manifests.map(({ entries }) => entries ?? undefined))).toEqual(
        entryCounts,
      )
      for (const { manifests: some } of tasks) {
        expect(some.length).toBeGreaterThan(0)
        const entries = some.reduce((sum, each) => sum + (each.entries ?? taskEntries), 0)
        if (some.length > 1) expect(entries).toBeLessThanOrEqual(taskEntries)
      }
    }),
  )
})

it('makes no message that a broker would refuse, however small the manifests are', () => {
  const manifests = Array.from({ length: 5_000 }, () => manifest(1, 900))
  const plan = makePlan(manifests, 1, 100_000)
  const sizes = Array.from(
    taskMessages(purge, plan, manifests, { ...terms, tasks: plan.tasks }),
    (task) => JSON.stringify(task).length,
  )
  expect(sizes.length).toBeGreaterThan(5)
  expect(Math.max(...sizes)).toBeLessThan(600 * 1024)
})

it('repeats tasks of an older generation with the same manifests', () => {
  const manifests = [10, 20, 30].map((count) => manifest(count))
  const plan = makePlan(manifests, 1, 10)
  const next = nextGeneration({ ...plan, published: 5 }, 9, [1])
  expect(next).toMatchObject({ generation: 9, tasks: [1], published: null })
  const [task, ...none] = taskMessages(purge, next, manifests, { ...terms, tasks: next.tasks })
  expect(none).toEqual([])
  expect(task).toMatchObject({ generation: 9, task: 1, keep: terms.keep, manifests: [{ entries: 20 }] })
})

it('begins with the tasks that have the most entries, so that each partition gets as much', () => {
  const manifests = [10, 500, 20, undefined, 400].map((count) => manifest(count))
  const plan = makePlan(manifests, 1, 10)
  expect(heaviestFirst(plan, manifests, plan.tasks)).toEqual([1, 4, 2, 0, 3])
  expect(heaviestFirst(plan, manifests, [0, 2])).toEqual([2, 0])
})

it('refuses a table that has other manifests than when it was planned', () => {
  const manifests = [manifest(1), manifest(1)]
  const plan = makePlan(manifests, 1, 1)
  const messages = taskMessages(purge, plan, manifests.slice(1), { ...terms, tasks: plan.tasks })
  expect(() => messages.next()).toThrow(PermanentPurgeError)
})
