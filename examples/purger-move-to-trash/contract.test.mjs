/** The suite that every purger passes, over a ledger on SQLite or at LEDGER_URL: `npm test`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { LocalFileIO } from 'moulin'
import { LedgerRuns, purgerContract } from 'moulin/testing'
import moveToTrash from './index.mjs'

purgerContract({ describe, it }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'move-to-trash-'))
  const runs = await LedgerRuns.open(process.env.LEDGER_URL)
  return {
    purger: moveToTrash({ trash: `file://${folder}/trash` }),
    io: new LocalFileIO([folder]),
    root: `file://${folder}/lake`,
    runs,
    close: async () => {
      await runs.close()
      rmSync(folder, { recursive: true })
    },
  }
})
