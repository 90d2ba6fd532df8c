import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTable, type Served, serve } from '../server/fixture.ts'
import { moulin } from './cli.ts'

describe('moulin certificates', () => {
  let served: Served
  let folder: string
  let file: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moulin-certificates-'))
    file = join(folder, 'main.jsonl')
    served = await serve({ purge: { purger: 'synchronous' } })
  })
  afterAll(async () => {
    await served[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })
  const exported = (...args: string[]) =>
    moulin(['certificates', 'export', '--warehouse', 'main', '--url', served.url, ...args])
  const verified = (lines: readonly string[]) => {
    writeFileSync(file, lines.join('\n'))
    return moulin(['certificates', 'verify', file])
  }

  it('says so when there is none', async () => {
    expect(await exported()).toMatchObject({ code: 0, stdout: '' })
    const { code, stderr } = await verified([])
    expect([code, stderr]).toEqual([1, expect.stringContaining('no certificate in this export')])
  })

  it('are exported, and verified without the server; what was tampered with is named', async () => {
    for (const name of ['a', 'b', 'c']) {
      await createTable(served, name)
      const answer = await served.call('DELETE', `/namespaces/ns/tables/${name}?purgeRequested=true`)
      expect(answer.status).toBe(204)
    }
    const { code, stdout } = await exported()
    expect(code).toBe(0)
    const lines = stdout.trim().split('\n') as [string, string, string]
    expect(lines.map((line) => JSON.parse(line).certificate.object.name)).toEqual(['a', 'b', 'c'])

    const good = await verified(lines)
    expect([good.code, good.stdout]).toEqual([0, expect.stringContaining('main: 3 certificates, 1 to 3')])
    const { hash } = JSON.parse(lines[2])
    expect(good.stdout).toContain(`head ${hash}`)

    const changed = await verified([lines[0], lines[1].replace('"name":"b"', '"name":"x"'), lines[2]])
    expect([changed.code, changed.stdout]).toEqual([1, expect.stringContaining('line 2')])
    const cut = await verified([lines[0], lines[2]])
    expect([cut.code, cut.stdout]).toEqual([1, expect.stringContaining('line 2')])

    const twice = lines[1].replace('"counts":', '"counts":{},"counts":')
    const doubled = await verified([lines[0], twice, lines[2]])
    expect([doubled.code, doubled.stdout]).toEqual([1, expect.stringContaining('not as it was exported')])
    writeFileSync(file, lines.join('\n'))
    const verify = (...args: string[]) => moulin(['certificates', 'verify', file, ...args])
    expect(await verify('--head', hash, '--from-start')).toMatchObject({ code: 0 })
    writeFileSync(file, lines.slice(0, 2).join('\n'))
    expect((await verify()).code).toBe(0)
    const ended = await verify('--head', hash)
    expect([ended.code, ended.stdout]).toEqual([1, expect.stringContaining('the end was cut off')])
    writeFileSync(file, lines.slice(1).join('\n'))
    const begun = await verify('--from-start')
    expect([begun.code, begun.stdout]).toEqual([1, expect.stringContaining('begins with certificate 2')])

    const rest = await exported('--after', '2')
    expect(rest.stdout.trim()).toBe(lines[2])
    expect((await verified([rest.stdout])).stdout).toContain('begins after certificate 2')
    expect(readFileSync(file, 'utf8')).toBe(rest.stdout)
  })

  it('names a file that is not there', async () => {
    const { code, stderr } = await moulin(['certificates', 'verify', join(folder, 'nothing')])
    expect([code, stderr]).toEqual([1, expect.stringContaining('The export cannot be read')])
  })
})
