/** A client process: purges the table that its parent has written, as a worker does, and tells what that took. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { migrate } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/open.ts'
import { Pacer } from '../../src/purge/deletion/pacer.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import type { Purge } from '../../src/purge/purger.ts'
import { SqlAsyncPurger } from '../../src/purge/purgers/sql-async/sql-async-purger.ts'
import { runPurge } from '../../src/purge/run-attempt.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { s3Storage } from '../../src/testing/stores/fauxqs.ts'
import { measured } from './measured.ts'

const folder = mkdtempSync(join(tmpdir(), 'moulin-bench-'))
const database = await openDatabase(`sqlite:${join(folder, 'ledger.db')}`)
await migrate(database)
const ledger = new Ledger(database)
const pacer = new Pacer()

await measured(async ({ endpoint, purge }: { endpoint: string; purge: Purge }) => {
  const io = new S3FileIO(s3Storage(endpoint, 'test', 'test'))
  const { name, namespace, metadataLocation, uuid, locations } = purge
  const dropped = {
    entryId: purge.id,
    kind: 'table' as const,
    warehouse: 'main',
    identifier: { namespace, name },
    uuid,
    metadataLocation,
    places: locations.map(({ location, owned }) => ({ id: randomUUID(), location, owned })),
  }
  const origin = { principal: 'bench', requestId: 'bench', client: 'bench' }
  const id = await database.transaction((tx) =>
    ledger.record(tx, dropped, origin, { purger: 'sql-async', maxAttempts: 1 }),
  )
  return async () => {
    const end = await runPurge(id, {
      database,
      ledger,
      purger: new SqlAsyncPurger(),
      io,
      pace: (files) => pacer.pace(files),
      logger: pino({ level: 'silent' }),
      owner: 'bench:1',
    })
    if (end.state !== 'succeeded') throw new Error(`The purge is ${end.state}: ${end.message}`)
    await io.close()
  }
})
await database.close()
rmSync(folder, { recursive: true })
