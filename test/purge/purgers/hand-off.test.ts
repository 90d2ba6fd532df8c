import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { doomedData, StillThereError, verifyErased } from '../../../src/purge/elsewhere/erased-elsewhere.ts'
import { eraseReach } from '../../../src/purge/erase-reach.ts'
import type { IcebergPurger } from '../../../src/purge/purger.ts'
import { LocalFileIO } from '../../../src/storage/local/local-file-io.ts'
import { purgerContract } from '../../../src/testing/purger-contract.ts'

/** An engine that takes lists of files, and works on them when it is told to. */
class Engine {
  readonly jobs = new Map<string, string[]>()
  readonly #io: LocalFileIO

  constructor(io: LocalFileIO) {
    this.#io = io
  }

  async work(reference: string): Promise<void> {
    await this.#io.deleteFiles(this.jobs.get(reference)!)
  }
}

function handingOff(engine: Engine): IcebergPurger {
  return {
    name: 'elsewhere',
    waits: false,
    purge: async (purge, run) => {
      const files = await Array.fromAsync(doomedData(purge, run))
      engine.jobs.set(
        purge.id,
        files.flat().map(({ path }) => path),
      )
      return { kind: 'handed_off', reference: purge.id }
    },
    inspect: async (purge, _reference, run) => {
      try {
        await eraseReach(purge, run, { data: verifyErased(purge) })
        return { state: 'finished' }
      } catch (error) {
        if (error instanceof StillThereError) return { state: 'running' }
        throw error
      }
    },
  }
}

describe('a purger that hands the data over to an engine elsewhere', () => {
  purgerContract({ describe, it }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-hand-off-'))
    const io = new LocalFileIO([folder])
    const engine = new Engine(io)
    return {
      purger: handingOff(engine),
      io,
      root: `file://${folder}/lake`,
      work: (_purge, reference) => engine.work(reference),
      close: async () => rmSync(folder, { recursive: true }),
    }
  })
})
