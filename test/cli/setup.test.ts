import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from './cli.ts'

const setup = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url))

/** A repository with our scripts/setup.mjs, one dependency that needs no registry, and a script to run. */
function makeRepository(root: string, script: string): void {
  const put = (path: string, content: unknown) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  mkdirSync(join(root, 'scripts'))
  cpSync(setup, join(root, 'scripts/setup.mjs'))
  put('package.json', { name: 'repository', version: '1.0.0', dependencies: { part: 'file:part' } })
  put('part/package.json', { name: 'part', version: '1.0.0', main: 'index.js' })
  put('part/index.js', 'module.exports = "a part"')
  put('script.mjs', script)
  const locked = spawnSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund'], {
    cwd: root,
  })
  if (locked.status !== 0) throw new Error(String(locked.stderr))
}

function start(root: string, args: readonly string[] = []) {
  const child = spawn(process.execPath, ['scripts/setup.mjs', 'script.mjs', ...args], { cwd: root })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { child: child as ChildProcess, ended, said: (text: string) => waitFor(() => stdout.includes(text)) }
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}

describe('scripts/setup.mjs', () => {
  it('installs what is missing, once, and hands arguments and exit code through', async () => {
    using folder = temporaryFolder()
    makeRepository(
      folder.path,
      'import part from "part"; console.log(part, process.argv.slice(2).join()); process.exit(3)',
    )
    const first = await start(folder.path, ['a', '--b']).ended
    expect(first).toMatchObject({ code: 3, stdout: 'a part a,--b\n' })
    expect(first.stderr).toContain('installing what package-lock.json names')
    expect(await start(folder.path, ['a']).ended).toEqual({ code: 3, stdout: 'a part a\n', stderr: '' })

    rmSync(join(folder.path, 'node_modules'), { recursive: true })
    const again = await start(folder.path).ended
    expect(again.stderr).toContain('installing')
  })

  it('installs only once for commands that start together', async () => {
    using folder = temporaryFolder()
    makeRepository(folder.path, 'import part from "part"; console.log(part)')
    const results = await Promise.all([1, 2, 3].map(() => start(folder.path).ended))
    expect(results.map(({ code, stdout }) => `${code} ${stdout}`)).toEqual(Array(3).fill('0 a part\n'))
    expect(results.filter(({ stderr }) => stderr.includes('installing'))).toHaveLength(1)
    expect(existsSync(join(folder.path, '.cache/setup.lock'))).toBe(false)
  })

  it('takes over the lock of a process that is no more', async () => {
    using folder = temporaryFolder()
    makeRepository(folder.path, 'import part from "part"; console.log(part)')
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    mkdirSync(join(folder.path, '.cache'))
    writeFileSync(join(folder.path, '.cache/setup.lock'), String(pid))
    expect(await start(folder.path).ended).toMatchObject({ code: 0, stdout: 'a part\n' })
  })

  it('says what to do when npm ci fails', async () => {
    using folder = temporaryFolder()
    makeRepository(folder.path, 'console.log("never")')
    writeFileSync(
      join(folder.path, 'package.json'),
      JSON.stringify({ dependencies: { other: 'file:other' } }),
    )
    const { code, stdout, stderr } = await start(folder.path).ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('"npm ci" did not succeed')
    expect(stderr).toContain('npm ping')
  })

  it('passes signals on, and ends as the script ends', async () => {
    using folder = temporaryFolder()
    const keepAlive = 'setInterval(() => {}, 1000); console.log("ready")'
    makeRepository(folder.path, `process.on("SIGTERM", () => process.exit(7)); ${keepAlive}`)
    const polite = start(folder.path)
    await polite.said('ready')
    polite.child.kill('SIGTERM')
    expect((await polite.ended).code).toBe(7)

    writeFileSync(join(folder.path, 'script.mjs'), keepAlive)
    const struck = start(folder.path)
    await struck.said('ready')
    struck.child.kill('SIGTERM')
    await struck.ended
    expect(struck.child.signalCode).toBe('SIGTERM')
  })
})
