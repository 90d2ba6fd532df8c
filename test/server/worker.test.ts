import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { Ledger } from '../../src/purge/ledger/ledger.ts'
import { startMoulin } from '../../src/server/moulin.ts'
import { createDatabase, dialects } from '../../src/testing/databases.ts'

const main = join(import.meta.dirname, '../../src/cli/main.ts')

describe.each(dialects)('moulin worker on %s', (dialect) => {
  it('erases what a server without workers has accepted, and stops when it is told to', async () => {
    const database = await createDatabase(dialect)
    const folder = mkdtempSync(join(tmpdir(), 'moulin-worker-'))
    const text = JSON.stringify({
      server: { port: 0 },
      database: { url: database.url },
      warehouses: { main: { location: 'warehouse' } },
      purge: { pollInterval: '100ms' },
      events: { sinks: undefined },
      logging: { level: 'silent' },
    })
    const file = join(folder, 'moulin.yaml')
    writeFileSync(file, text)
    const ledger = new Ledger(database.database)
    const moulin = await startMoulin(await parseConfig(text, { folder }), { workers: false })
    try {
      const call = async (method: string, path: string, body?: object) => {
        const answer = await fetch(`${moulin.url}/v1/main${path}`, {
          method,
          ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
        })
        expect(answer.ok).toBe(true)
        return (await answer.text()) || '{}'
      }
      await call('POST', '/namespaces', { namespace: ['ns'] })
      const schema = { type: 'struct', fields: [{ id: 1, name: 'id', type: 'long', required: true }] }
      const created = JSON.parse(await call('POST', '/namespaces/ns/tables', { name: 't', schema }))
      const root = (created['metadata-location'] as string).replace('file://', '')
      await call('DELETE', '/namespaces/ns/tables/t?purgeRequested=true')
      await sleep(500)
      expect(await ledger.list()).toMatchObject([{ state: 'pending' }])
      expect(existsSync(root)).toBe(true)

      const worker = spawn(process.execPath, [main, 'worker', '--config', file], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let printed = ''
      worker.stderr.on('data', (chunk) => (printed += String(chunk)))
      try {
        for (let tries = 0; tries < 500 && existsSync(root); tries++) await sleep(20)
        while ((await ledger.list())[0]?.state === 'running') await sleep(20)
        expect(await ledger.list()).toMatchObject([{ state: 'succeeded', counts: { root: { deleted: 1 } } }])
        expect(printed).toContain('works on the purges of main')
      } finally {
        worker.kill('SIGTERM')
      }
      const [code] = await once(worker, 'exit')
      expect({ code, printed }).toMatchObject({ code: 0 })
    } finally {
      await moulin.close()
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
