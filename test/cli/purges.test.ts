import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTable, type Served, serve } from '../server/fixture.ts'
import { moulin } from './cli.ts'

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

  it('says so when no server answers', async () => {
    const { code, stderr } = await moulin(['purges', 'list', '--url', 'http://127.0.0.1:1'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('No server answers at http://127.0.0.1:1')])
  })
})
