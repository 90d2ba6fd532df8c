import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, it } from 'vitest'
import { AuditOnlyPurger } from '../../../src/purge/purgers/audit-only/audit-only-purger.ts'
import type { FileIO } from '../../../src/storage/file-io.ts'
import { LocalFileIO } from '../../../src/storage/local/local-file-io.ts'
import { dialects } from '../../../src/testing/databases.ts'
import { type PlannedPath, purgerContract } from '../../../src/testing/purger-contract.ts'
import { ledgerRuns } from '../contract-runs.ts'

async function readPlan(io: FileIO, folder: string): Promise<PlannedPath[]> {
  const { parts } = JSON.parse((await io.read(`${folder}/index.json`)).toString()) as {
    readonly parts: readonly { readonly location: string }[]
  }
  const texts = await Promise.all(
    parts.map(async ({ location }) => gunzipSync(await io.read(location)).toString()),
  )
  return texts.flatMap((text) => text.trimEnd().split('\n')).map((line) => JSON.parse(line) as PlannedPath)
}

describe.each(dialects)('audit-only with its ledger on %s', (dialect) => {
  purgerContract(
    { describe, it },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'moulin-audit-'))
      const io = new LocalFileIO([folder])
      const plans = `file://${folder}/plans`
      const runs = await ledgerRuns(dialect)
      return {
        purger: new AuditOnlyPurger(plans),
        io,
        root: `file://${folder}/root`,
        plan: ({ id }) => readPlan(io, `${plans}/${id}`),
        runs,
        close: async () => {
          await runs.close()
          rmSync(folder, { recursive: true, force: true })
        },
      }
    },
    { erases: false },
  )
})
