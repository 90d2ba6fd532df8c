import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { moulin, temporaryFolder } from './cli.ts'

describe('moulin', () => {
  it('--version prints the package version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await moulin(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('--help names every command, and teaches by examples', async () => {
    const { code, stdout } = await moulin(['--help'])
    expect(code).toBe(0)
    for (const command of ['serve', 'demo', 'migrate', 'doctor', 'config']) expect(stdout).toContain(command)
    expect(stdout).toContain('Examples:')
    expect((await moulin(['serve', '--help'])).stdout).toContain('moulin serve --config moulin.yaml')
  })

  it('knows what a mistyped command was meant to be; exit code 2', async () => {
    expect(await moulin(['serv'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Did you mean serve?'),
    })
    expect(await moulin(['serve', '--port', 'x'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Expected an integer from 0 to 65535'),
    })
  })
})

describe('moulin config', () => {
  it('show prints what takes effect, without secrets', async () => {
    using folder = temporaryFolder()
    writeFileSync(
      join(folder.path, 'm.yaml'),
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration file
      'database: {url: "postgres://u:${env:PW}@h/d"}',
    )
    const { code, stdout } = await moulin(['config', 'show', '-c', 'm.yaml'], {
      cwd: folder.path,
      env: { PW: 'hunter2', MOULIN_SERVER__PORT: '9999' },
    })
    expect(code).toBe(0)
    expect(stdout).toContain('url: postgres://h/d')
    expect(stdout).toContain('port: 9999')
    expect(stdout).not.toContain('hunter2')
  })

  it('schema prints the JSON Schema', async () => {
    const { stdout } = await moulin(['config', 'schema'])
    expect(JSON.parse(stdout).properties.server.properties.port.default).toBe(8181)
  })

  it('tells all mistakes without a stack, on standard error', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'm.yaml'), 'server: {prot: 1}\nlogging: {level: inf}')
    const { code, stdout, stderr } = await moulin(['config', 'show', '-c', 'm.yaml'], { cwd: folder.path })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/server\.prot \(line 1\).*logging\.level \(line 2\)/s)
    expect(stderr).not.toContain('    at ')
  })
})

describe('moulin migrate', () => {
  it('--check changes nothing and exits with 1 when something is to be done', async () => {
    using folder = temporaryFolder()
    const options = { cwd: folder.path }
    expect(await moulin(['migrate', '--check'], options)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/migrations to apply to a new database\n {2}0001-catalog/),
    })
    expect(readdirSync(folder.path)).toEqual([])
    expect(await moulin(['migrate'], options)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/migrations applied\n {2}0001-catalog/),
    })
    expect(await moulin(['migrate', '--check'], options)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is up to date'),
    })
  })
})

describe('moulin doctor', () => {
  it('is content with the defaults, and leaves no file', async () => {
    using folder = temporaryFolder()
    const fresh = await moulin(['doctor'], { cwd: folder.path })
    expect(fresh).toMatchObject({ code: 0, stderr: '' })
    expect(fresh.stdout).toContain('does not exist yet; the first start creates it')
    expect(fresh.stdout).toContain('✓ can be erased from')
    expect(existsSync(join(folder.path, 'moulin-data/catalog.db'))).toBe(false)
    expect(readdirSync(join(folder.path, 'moulin-data/warehouse'))).toEqual([])

    await moulin(['migrate'], { cwd: folder.path })
    const { code, stdout } = await moulin(['doctor'], { cwd: folder.path })
    expect(code).toBe(0)
    for (const finding of ['answers: SQLite', 'is migrated', 'can be written', "has this machine's time"]) {
      expect(stdout).toContain(`✓ ${finding}`)
    }
  })

  it('says what to do about a database that does not answer, and hides its password', async () => {
    using folder = temporaryFolder()
    const { code, stdout } = await moulin(['doctor'], {
      cwd: folder.path,
      env: { MOULIN_DATABASE__URL: 'postgres://u:hunter2@127.0.0.1:1/d' },
    })
    expect(code).toBe(1)
    expect(stdout).toMatch(/✗ does not answer: .*\n {4}→ Check host, port, user/)
    expect(stdout).not.toContain('hunter2')
    expect(stdout).toContain('1 thing will not work')
  })

  it('says that a file is no database', async () => {
    using folder = temporaryFolder()
    writeFileSync(
      join(folder.path, 'catalog.db'),
      'this is a text, and long enough to be looked at. '.repeat(50),
    )
    const { code, stdout } = await moulin(['doctor'], {
      cwd: folder.path,
      env: { MOULIN_DATABASE__URL: 'sqlite:catalog.db' },
    })
    expect(code).toBe(1)
    expect(stdout).toMatch(/✗ does not answer: .*not a database/)
  })

  it('says that a folder cannot be written', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'file'), '')
    const { code, stdout } = await moulin(['doctor'], {
      cwd: folder.path,
      env: { MOULIN_WAREHOUSES__W__LOCATION: 'file/warehouse' },
    })
    expect(code).toBe(1)
    expect(stdout).toMatch(/✗ cannot be written: .*\n {4}→ Let the user that runs Moulin/)
  })
  const examine = async (text: string) => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'm.yaml'), text)
    return await moulin(['doctor', '--config', 'm.yaml'], { cwd: folder.path })
  }

  it('says that a purger cannot be had, of the warehouse and of its routes', async () => {
    const unknown = await examine('purge: {purger: webhok}')
    expect(unknown.code).toBe(1)
    expect(unknown.stdout).toMatch(
      /✗ has a purger that cannot .*purge\.purger of the warehouse default.*"webhook"\?/,
    )
    expect(unknown.stdout).not.toContain('imported from')
    const route = '{when: {minFiles: 5}, purger: kafka, options: {broker: x}}'
    const wrong = await examine(`purge: {routes: [${route}]}`)
    expect(wrong.code).toBe(1)
    expect(wrong.stdout).toMatch(
      /✗ .*purge\.routes\.0\.options of the warehouse default: .*broker is not an option/,
    )
    expect((await examine('purge: {purger: audit-only}')).stdout).toContain('✓ is purged by audit-only')
  })

  it('says that events cannot be sent', async () => {
    const { code, stdout } = await examine('events: {sinks: [{type: kafka, options: {topic: t}}]}')
    expect(code).toBe(1)
    expect(stdout).toMatch(/✗ cannot be sent: events\.sinks\.0\.options: brokers is missing/)
  })

  it('says whether a broker of Kafka is there', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const options = (port: number) =>
      `{type: kafka, options: {brokers: ["127.0.0.1:1", "127.0.0.1:${port}"]}}`
    const { port } = server.address() as AddressInfo
    try {
      const there = await examine(`events: {sinks: [${options(port)}]}`)
      expect(there).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(`✓ reaches Kafka for events: 127.0.0.1:${port}`),
      })
    } finally {
      server.close()
    }
    const gone = await examine(`events: {sinks: [${options(2)}]}`)
    expect(gone.code).toBe(1)
    expect(gone.stdout).toMatch(
      /✗ does not reach Kafka for events: 127\.0\.0\.1:1: .*REFUSED.*\n {4}→ Check host and port/,
    )
  })
})
