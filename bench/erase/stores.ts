import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cache, once as install } from '../../scripts/toolchains/toolchain.ts'
import { freePort } from '../../src/testing/stores/free-port.ts'
import type { Store } from './table.ts'

const version = 'v1.8.0'

/** @param delay milliseconds added to each answer. */
export async function startStandIn(delay: number): Promise<Store> {
  const child = fork(new URL('./stand-in.ts', import.meta.url), [`${delay}`])
  const [port] = (await once(child, 'message')) as [number]
  const endpoint = `http://127.0.0.1:${port}`
  return {
    endpoint,
    seed: async (keys) => {
      await fetch(endpoint, { method: 'POST', body: keys.join('\n') })
    },
    clear: async () => {
      const keys = await (await fetch(endpoint, { method: 'DELETE' })).text()
      return keys === '' ? [] : keys.split('\n')
    },
    close: () => ended(child),
  }
}

/**
 * An S3 gateway over a folder, in memory where the machine has `/dev/shm`. What is put there without it, as empty files,
 * are objects all the same. Installed by Go at the first time, which takes minutes.
 */
export async function startVersityGateway(): Promise<Store> {
  const binaries = join(cache, 'go')
  install('versitygw.stamp', import.meta.filename, [
    ['env', `GOBIN=${binaries}`, 'go', 'install', `github.com/versity/versitygw/cmd/versitygw@${version}`],
  ])
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'moulin-bench-'))
  const objects = join(folder, 'objects')
  const users = join(folder, 'users')
  mkdirSync(join(objects, 'lake'), { recursive: true })
  mkdirSync(users)
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(
    join(binaries, 'versitygw'),
    ['--port', address, '--keep-alive', '--quiet', '--iam-dir', users, 'posix', objects],
    {
      env: { ...process.env, ROOT_ACCESS_KEY_ID: 'test', ROOT_SECRET_ACCESS_KEY: 'test' },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const endpoint = `http://${address}`
  for (let attempt = 0; ; attempt++) {
    if (child.exitCode !== null || attempt === 100) throw new Error('versitygw did not start')
    if (await fetch(endpoint).catch(() => undefined)) break
    await sleep(100)
  }
  return {
    endpoint,
    seed: async (keys) => {
      const folders = new Set(keys.map((key) => dirname(join(objects, key))))
      for (const each of folders) mkdirSync(each, { recursive: true })
      for (const key of keys) writeFileSync(join(objects, key), '')
    },
    clear: async () => {
      const lake = join(objects, 'lake')
      const left = readdirSync(lake, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(objects, join(entry.parentPath, entry.name)))
      for (const name of readdirSync(lake)) rmSync(join(lake, name), { recursive: true })
      return left
    },
    close: async () => {
      await ended(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill()
  await once(child, 'exit')
}
