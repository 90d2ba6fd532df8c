import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { killReplicas } from './kill-replicas.ts'

/** Kills of one run; more with MOULIN_KILLS. */
const kills = Number(process.env.MOULIN_KILLS ?? 8)

describe.each([
  ['postgres', 2],
  ['sqlite', 1],
] as const)('kill -9 on %s, %i at work', (dialect, replicas) => {
  it(
    '8. tasks are lost with the process: at random moments nothing is lost, nothing else erased, no false success claimed',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'moulin-kill-'))
      try {
        await killReplicas({
          dialect,
          replicas,
          kills,
          io: new LocalFileIO([folder]),
          location: `file://${folder}/main`,
          storage: { type: 'local' },
          table: { snapshots: 3, filesPerSnapshot: 700 },
          pause: 400,
        })
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
    60_000 + kills * 10_000,
  )
})
