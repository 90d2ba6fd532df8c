import { type DeleteOutcome, InvalidLocationError } from '../file-io.ts'
import { objectOf } from './object.ts'

/** Keys of one DeleteObjects request: the protocol's limit. */
const batchSize = 1_000

/** Characters that XML cannot carry, or not unchanged; halves of surrogate pairs aside. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for.
const unfit = /[\0-\x1f\x7f\ufffe\uffff]/

/** One of the files that a call of `deleteFiles` was given. */
export interface Target {
  /** Where its outcome goes. */
  readonly index: number
  readonly location: string
  readonly bucket: string
  readonly key: string
  /** The version that is to go; undefined for the current one. */
  readonly version: string | undefined
}

export interface Plan {
  /** Keys of one bucket each, to be deleted by one request. */
  readonly batches: readonly Target[][]
  /** Keys that XML cannot carry, to be deleted one by one. */
  readonly single: readonly Target[]
}

/** Sorts files into requests, and writes the outcome of those that no request can be made for. */
export function planRequests(
  locations: readonly string[],
  versions: readonly string[] | undefined,
  outcomes: DeleteOutcome[],
): Plan {
  const open = new Map<string, Target[]>()
  const batches: Target[][] = []
  const single: Target[] = []
  for (let index = 0; index < locations.length; index++) {
    const target = targetOf(index, locations[index]!, versions?.[index])
    if ('outcome' in target) {
      outcomes[index] = target
    } else if (!fitsXml(target.key)) {
      single.push(target)
    } else {
      let batch = open.get(target.bucket)
      if (!batch || batch.length === batchSize) {
        batch = []
        open.set(target.bucket, batch)
        batches.push(batch)
      }
      batch.push(target)
    }
  }
  return { batches, single }
}

function targetOf(index: number, location: string, version: string | undefined): Target | DeleteOutcome {
  try {
    const { bucket, key } = objectOf(location)
    return { index, location, bucket, key, version }
  } catch (error) {
    if (!(error instanceof InvalidLocationError)) throw error
    return { outcome: 'blocked', code: 'InvalidLocation', message: error.message }
  }
}

/** Whether XML 1.0 can carry the key, and unchanged. */
function fitsXml(key: string): boolean {
  return !unfit.test(key) && key.isWellFormed()
}
