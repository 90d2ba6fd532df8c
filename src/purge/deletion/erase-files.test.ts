import { expect, it, vi } from 'vitest'
import { forwardFileIO } from '../../storage/forward.ts'
import { testRun } from '../../testing/purge-run.ts'
import { Random } from '../../testing/random.ts'
import { FaultyStore } from '../../testing/stores/faulty-store.ts'
import { VirtualClock } from '../../testing/virtual-clock.ts'
import { eraseFiles, type Portion } from './erase-files.ts'

/** Files of a stage, and a store that answers for all batches but those that are stuck. */
function stage(count: number, stuck: (first: string) => Promise<void>) {
  const store = new FaultyStore(new VirtualClock(), new Random(1))
  const paths = Array.from({ length: count }, (_, index) => `s3://lake/t/${index}`)
  const asked: string[] = []
  const io = forwardFileIO(store, {
    capabilities: { ...store.capabilities, deleteBatchSize: 1 },
    deleteFiles: async (locations) => {
      asked.push(...locations)
      await stuck(locations[0]!)
      return locations.map(() => ({ outcome: 'deleted' as const }))
    },
  })
  const files = paths.map((path) => ({ path, size: undefined }))
  const portion: Portion = { files, checkpoint: (done) => ({ stage: 'data', files: done }) }
  return { io, portion, asked, paths }
}

it('waits for a batch that is stuck, rather than to keep all that come after it', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { io, portion, asked, paths } = stage(1_000, (first) =>
    first.endsWith('/0') ? promise : Promise.resolve(),
  )
  const run = testRun(io, { deleteConcurrency: 4 })
  const erasing = eraseFiles(run, 'data', [portion])
  await vi.waitFor(() => expect(asked).toHaveLength(16))
  await new Promise((later) => setTimeout(later, 20))
  expect(asked).toHaveLength(16)
  expect(run.tally().counts).toEqual({})
  resolve()
  await erasing
  expect(asked).toEqual(paths)
  expect(run.tally()).toMatchObject({
    counts: { data: { deleted: 1_000 } },
    containers: { 's3://lake': 1_000 },
  })
})

it('counts sizes that can be sizes, and sums that can be numbers', async () => {
  const { io } = stage(0, async () => undefined)
  const sizes = [1, -5, 1.5, Number.NaN, 2 ** 53, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]
  const files = sizes.map((size, index) => ({ path: `/t/${index}`, size }))
  const run = testRun(io)
  await eraseFiles(run, 'data', [{ files, checkpoint: () => undefined }])
  expect(run.tally().bytes.data).toEqual({ deleted: Number.MAX_SAFE_INTEGER })
})
