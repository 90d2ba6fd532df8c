import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { moulin, temporaryFolder } from './cli.ts'

describe('moulin demo', () => {
  it('erases the table, keeps its neighbours, accounts for every file, and leaves nothing behind', async () => {
    using folder = temporaryFolder()
    const { code, stdout, stderr } = await moulin(['demo', '--files', '200'], {
      cwd: folder.path,
      env: { TMPDIR: folder.path },
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('DELETE /v1/default/namespaces/shop/tables/orders?purgeRequested=true')
    expect(stdout).not.toContain('✗')
    expect(stdout.match(/✓/g)).toHaveLength(7)
    expect(stdout).toContain('40 data files that shop.orders lists lie in the folder of shop.archive')
    // Plain text where there is no terminal.
    expect(stdout).not.toContain('\x1b')
    expect(stdout).not.toContain('\r')
    expect(readdirSync(folder.path)).toEqual([])
  })

  it('leaves its folder with --keep, the neighbours in it', async () => {
    using folder = temporaryFolder()
    const { code, stdout } = await moulin(['demo', '--files', '20', '--keep'], {
      env: { TMPDIR: folder.path },
    })
    expect(code).toBe(0)
    const kept = /because of --keep: (.*)/.exec(stdout)?.[1] ?? ''
    expect(existsSync(`${kept}/catalog.db`)).toBe(true)
    const tables = readdirSync(`${kept}/warehouse/shop`)
    expect(tables.map((name) => name.replace(/-[0-9a-f]{32}/, '')).sort()).toEqual(['archive', 'orders2'])
  })
})
