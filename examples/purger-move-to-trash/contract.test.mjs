/** The suite that every purger passes: `npm test`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { LocalFileIO } from 'moulin'
import { purgerContract } from 'moulin/testing'
import moveToTrash from './index.mjs'

purgerContract({ describe, it }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'move-to-trash-'))
  return {
    purger: moveToTrash({ trash: `file://${folder}/trash` }),
    io: new LocalFileIO([folder]),
    root: `file://${folder}/lake`,
    close: async () => rmSync(folder, { recursive: true }),
  }
})
