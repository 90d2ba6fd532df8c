/** Instead of erasing a file, moves it under a trash prefix, where a lifecycle rule or a person empties it later. */
import { eraseReach, FileNotFoundError } from 'moulin'

/** Files of one batch that are copied at a time. */
const copiesInFlight = 16

/**
 * Option `trash`: a location that the warehouse can write to, outside of its tables.
 *
 * @type {import('moulin').IcebergPurgerFactory}
 */
export default function moveToTrash({ trash }) {
  if (typeof trash !== 'string' || !/^(s3:\/\/|file:\/\/\/|\/)/.test(trash)) {
    throw new Error('trash must be a location that the warehouse can write to, such as s3://lake/trash')
  }
  return new MoveToTrash(trash.replace(/\/+$/, ''))
}

/** @implements {import('moulin').IcebergPurger} */
class MoveToTrash {
  name = 'move-to-trash'
  waits = false
  #trash

  constructor(trash) {
    this.#trash = trash
  }

  /**
   * `eraseReach` reads the table, keeps what others own, goes from leaves to parents in batches, and saves how far it is.
   * All that differs here is what happens to the files of a batch. Without `mayBeSwept` the server leaves whatever else
   * lies at the table's location, and reports it.
   */
  async purge(purge, run) {
    await eraseReach(purge, run, {
      deleteFiles: (locations, options) => this.#move(purge, run.io, locations, options),
    })
    return { kind: 'done' }
  }

  async #move(purge, io, locations, options) {
    const outcomes = new Array(locations.length)
    const copies = locations.entries()
    const copyOneAfterTheOther = async () => {
      for (const [index, location] of copies)
        outcomes[index] = await this.#copy(purge, io, location, options?.signal)
    }
    await Promise.all(Array.from({ length: copiesInFlight }, copyOneAfterTheOther))
    const copied = locations.filter((_, index) => outcomes[index] === undefined)
    const deleted = (await io.deleteFiles(copied, options)).values()
    return outcomes.map((outcome) => outcome ?? deleted.next().value)
  }

  /** Gives the outcome of a file that is not in the trash now; nothing for one that is, and may be deleted. */
  async #copy(purge, io, location, signal) {
    const target = `${this.#trash}/${purge.id}/${location.replace(/^[a-z0-9]+:\/+/, '')}`
    try {
      await io.copy(location, target, { signal })
      return undefined
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof FileNotFoundError) return { outcome: 'absent' }
      return { outcome: 'failed', code: error.name, message: error.message }
    }
  }
}
