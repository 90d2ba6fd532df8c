import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Cli, moulin, temporaryFolder } from './cli.ts'

const serves = /serves (http:\S+)/

describe('moulin serve', () => {
  it('needs no configuration, says how to connect, and stops on SIGTERM', async () => {
    using folder = temporaryFolder()
    const cli = new Cli(['serve', '--port', '0'], { cwd: folder.path })
    const url = await cli.says(serves)
    await cli.says(/Ctrl-C stops it/)
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    for (const engine of ['PyIceberg', 'Spark', 'Trino', 'DuckDB']) expect(cli.stderr).toContain(engine)
    expect(cli.stderr).toContain(`load_catalog("moulin", type="rest", uri="${url}", warehouse="default")`)
    const config = await (await fetch(`${url}/v1/config?warehouse=default`)).json()
    expect(config).toMatchObject({ overrides: { prefix: 'default' } })
    expect(existsSync(join(folder.path, 'moulin-data/catalog.db'))).toBe(true)

    cli.child.kill('SIGTERM')
    expect((await cli.ended).code).toBe(0)
    await expect(fetch(url)).rejects.toThrow()
  })

  it('takes Ctrl-C for one even when it arrives twice, as through npm', async () => {
    using folder = temporaryFolder()
    const cli = new Cli(['serve', '--port', '0'], { cwd: folder.path })
    await cli.says(serves)
    cli.child.kill('SIGINT')
    cli.child.kill('SIGINT')
    expect((await cli.ended).code).toBe(0)
  })

  it('keeps what was made when it is started again', async () => {
    using folder = temporaryFolder()
    const serve = async <T>(work: (base: string) => Promise<T>): Promise<T> => {
      const cli = new Cli(['serve', '--port', '0'], { cwd: folder.path })
      try {
        return await work(`${await cli.says(serves)}/v1/default/namespaces`)
      } finally {
        cli.child.kill('SIGTERM')
        await cli.ended
      }
    }
    await serve((base) =>
      fetch(base, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ namespace: ['kept'] }),
      }),
    )
    const listed = await serve(async (base) => await (await fetch(base)).json())
    expect(listed).toMatchObject({ namespaces: [['kept']] })
  })

  it('says which port is in use, and what to do', async () => {
    using folder = temporaryFolder()
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    try {
      const { code, stderr } = await moulin(['serve', '--port', String(port)], { cwd: folder.path })
      expect(code).toBe(1)
      expect(stderr).toContain(`Port ${port} of 127.0.0.1 is in use by another program.`)
      expect(stderr).not.toContain('    at ')
    } finally {
      other.close()
    }
  })

  it('refuses to listen for strangers, unless told to; then it warns', async () => {
    using folder = temporaryFolder()
    // An address of documentation (RFC 5737): no machine has it, so nothing is ever opened to strangers here.
    const strange = ['serve', '--host', '192.0.2.1']
    const refused = await moulin(strange, { cwd: folder.path })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/server\.host \(--host\) is not a loopback address.*allowInsecure: true/)

    const warned = await moulin(strange, {
      cwd: folder.path,
      env: { MOULIN_SERVER__ALLOW_INSECURE: 'true' },
    })
    expect(warned.code).toBe(1)
    expect(warned.stderr).toMatch(/Nobody is authenticated.*192\.0\.2\.1 is no address of this machine/s)
  })
})
