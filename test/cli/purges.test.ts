import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTable, type Served, serve } from '../server/fixture.ts'
import { Cli, moulin, temporaryFolder } from './cli.ts'

describe('moulin purges', () => {
  let served: Served
  beforeAll(async () => {
    served = await serve({ purge: { purger: 'sql-async' } })
  })
  afterAll(() => served[Symbol.asyncDispose]())
  const run = (...args: string[]) => moulin(['purges', ...args, '--url', served.url])
  const drop = async (name: string) => {
    const answer = await served.call('DELETE', `/namespaces/ns/tables/${name}?purgeRequested=true`)
    return answer.headers.get('link')!.match(/purges\/([0-9a-f-]+)/)![1]!
  }

  it('23a. nobody can see a purge: lists, shows and follows what the server does', async () => {
    expect((await run('list')).stdout).toContain('No table or view')
    await createTable(served, 'good')
    const id = await drop('good')
    const watched = await run('watch', id)
    expect(watched.code).toBe(0)
    expect(watched.stdout).toMatch(/state +succeeded/)
    expect(watched.stdout).toMatch(/root +1 deleted/)
    expect(watched.stderr).toMatch(/succeeded +█+ 100 %/)
    expect((await run('list')).stdout).toMatch(new RegExp(`${id} .* succeeded +main: ns.good +1 deleted`))
  })

  it('23b. a failed purge cannot be retried: says why it failed, and has it tried again', async () => {
    const { json } = await createTable(served, 'bad')
    rmSync(json['metadata-location'].replace('file://', ''))
    const id = await drop('bad')
    const watched = await run('watch', id)
    expect(watched.code).toBe(1)
    expect(watched.stdout).toContain(`The root metadata file is missing: ${json['metadata-location']}`)
    expect((await run('retry', id)).stdout).toContain('will be tried again')
    expect((await run('watch', id)).code).toBe(1)
    const unknown = await run('show', 'nothing')
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining('Purge does not exist: nothing'),
    ])
  })

  it('shows which table it was, who asked, and how much is erased', async () => {
    const { json } = await createTable(served, 'shown')
    const id = await drop('shown')
    await run('watch', id)
    const { stdout } = await run('show', id)
    expect(stdout).toContain(`uuid       ${json.metadata['table-uuid']}`)
    expect(stdout).toContain(`metadata   ${json['metadata-location']}`)
    expect(stdout).toMatch(/^requested {2}.* by anonymous$/m)
    expect(stdout).toMatch(/^request {4}\S+$/m)
    expect(stdout).toMatch(/^expected {3}1 file$/m)
    expect(stdout).toMatch(/^erased {5}1 file, [1-9]\d* B$/m)
  })

  it('watching has an exit code of its own for a purge that does not exist', async () => {
    expect(await run('watch', 'nothing')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('Purge does not exist: nothing'),
    })
  })

  it('follows a purge through a restart of the server', async () => {
    using folder = temporaryFolder()
    const config = 'purge: {retention: 5s}\nlogging: {level: silent}'
    writeFileSync(join(folder.path, 'm.yaml'), config)
    const start = async (port: string) => {
      const cli = new Cli(['serve', '--config', 'm.yaml', '--port', port], { cwd: folder.path })
      return { cli, url: await cli.says(/serves (http:\S+)/) }
    }
    const first = await start('0')
    const call = async (method: string, path: string, body?: object) =>
      await fetch(`${first.url}/v1/default/namespaces${path}`, {
        method,
        ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      })
    await call('POST', '', { namespace: ['ns'] })
    await call('POST', '/ns/tables', { name: 't', schema: { type: 'struct', fields: [] } })
    const link = (await call('DELETE', '/ns/tables/t?purgeRequested=true')).headers.get('link')!
    const id = link.match(/purges\/([0-9a-f-]+)/)![1]!
    const watching = new Cli(['purges', 'watch', id, '--url', first.url])
    await watching.says(/retained/)
    first.cli.child.kill('SIGKILL')
    await watching.says(/No server answers at .* It is tried again for a minute\./)
    const second = await start(new URL(first.url).port)
    expect(await watching.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/state +succeeded/) })
    second.cli.child.kill('SIGTERM')
    await second.cli.ended
  })

  it('says that a URL is none, wherever it stands', async () => {
    const wrong = {
      code: 2,
      stderr: expect.stringContaining('It is no URL of a server, such as http://127.0.0.1:8181'),
    }
    expect(await moulin(['purges', 'list', '--url', 'notaurl'])).toMatchObject(wrong)
    expect(await moulin(['purges', 'list'], { env: { MOULIN_URL: 'localhost:8181' } })).toMatchObject(wrong)
    expect((await moulin(['purges', 'list'], { env: { MOULIN_URL: served.url } })).code).toBe(0)
  })

  it('says so when no server answers', async () => {
    const { code, stderr } = await moulin(['purges', 'list', '--url', 'http://127.0.0.1:1'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('No server answers at http://127.0.0.1:1')])
  })
})
