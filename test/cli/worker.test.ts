import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Cli, moulin, temporaryFolder } from './cli.ts'

const schema = { type: 'struct', fields: [{ id: 1, name: 'id', type: 'long', required: true }] }

async function request(method: string, url: string, body?: object): Promise<void> {
  const answer = await fetch(url, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  expect(answer.ok).toBe(true)
}

describe('moulin worker', () => {
  it('tells at its port that it works, and what it has done; nothing else is served there', async () => {
    using folder = temporaryFolder()
    const server = new Cli(['serve', '--no-workers', '--port', '0'], { cwd: folder.path })
    const catalog = `${await server.says(/serves (http:\S+)/)}/v1/default/namespaces`
    const env = { MOULIN_PURGE__POLL_INTERVAL: '100ms' }
    const worker = new Cli(['worker', '--port', '0'], { cwd: folder.path, env })
    try {
      const url = await worker.says(/health +(http:\S+)\/readyz/)
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
      expect((await fetch(`${url}/livez`)).status).toBe(200)
      const ready = async () => await (await fetch(`${url}/readyz`)).json()
      await expect.poll(ready, { timeout: 20_000 }).toEqual({ status: 'ready' })
      expect((await fetch(`${url}/v1/config`)).status).toBe(404)

      await request('POST', catalog, { namespace: ['ns'] })
      await request('POST', `${catalog}/ns/tables`, { name: 't', schema })
      await request('DELETE', `${catalog}/ns/tables/t?purgeRequested=true`)
      const metrics = async () => await (await fetch(`${url}/metrics`)).text()
      await expect
        .poll(metrics, { timeout: 20_000 })
        .toContain('moulin_purge_attempts_total{warehouse="default",state="succeeded"} 1')
      expect(await metrics()).toMatch(
        /moulin_purge_paths_total\{warehouse="default",stage="root",outcome="deleted"\} 1/,
      )
      expect(await metrics()).toContain('moulin_event_outbox_rows 0')
    } finally {
      worker.child.kill('SIGTERM')
      server.child.kill('SIGTERM')
    }
    expect((await worker.ended).code).toBe(0)
    await server.ended
  })

  it('says which port is in use, and where none is told of', async () => {
    using folder = temporaryFolder()
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    try {
      const { code, stderr } = await moulin(['worker', '--port', String(port)], { cwd: folder.path })
      expect(code).toBe(1)
      expect(stderr).toContain(`Port ${port} of 127.0.0.1 is in use by another program.`)
    } finally {
      other.close()
    }
    const { code, stderr } = await moulin(['worker', '--kafka', '--port', '0'], { cwd: folder.path })
    expect(code).toBe(1)
    expect(stderr).toContain('--port is not for --kafka')
  })
})
