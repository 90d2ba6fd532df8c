import type { DeleteOutcome, FileIO } from '../storage/file-io.ts'
import { forwardFileIO } from '../storage/forward.ts'

/** Decides what happens to a path instead of its deletion; undefined lets it be deleted. May throw, or wait. */
export type DeleteFault = (path: string, batch: number) => DeleteOutcome | undefined

/** A FileIO that notes every path in the order in which it is deleted, and can be given faults. */
export function watchDeletes(
  io: FileIO,
  fault: DeleteFault = () => undefined,
): FileIO & { readonly deleted: string[] } {
  const deleted: string[] = []
  let batch = 0
  const watched = forwardFileIO(io, {
    deleteFiles: async (locations, options) => {
      const number = batch++
      const faults = locations.map((location) => fault(location, number))
      const passed = locations.filter((_, index) => faults[index] === undefined)
      const outcomes = await io.deleteFiles(passed, options)
      deleted.push(...passed)
      let next = 0
      return faults.map((outcome) => outcome ?? outcomes[next++]!)
    },
  })
  return { ...watched, deleted }
}
