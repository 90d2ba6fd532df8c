import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase } from '../../src/testing/databases.ts'
import { Cli } from '../cli/cli.ts'
import { stepsOf } from './guide.ts'
import { install, pack, run } from './packed.ts'

const root = join(import.meta.dirname, '../..')

describe('the packed package', () => {
  let folder: string
  let tarball: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'moulin-package-'))
    tarball = pack(folder)
  }, 120_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('has all that the guide to writing a purger needs, from an empty folder to a green suite', async () => {
    const empty = join(folder, 'guide')
    mkdirSync(empty)
    const guide = readFileSync(join(root, 'docs/guides/write-a-purger.md'), 'utf8')
    const printed: string[] = []
    for (const step of stepsOf(guide)) {
      if (step.kind === 'file') writeFileSync(join(empty, step.name), step.text)
      else if (step.line === 'npm install moulin') install(empty, tarball)
      else printed.push(run(empty, 'sh', '-c', step.line))
    }
    const suites = printed.filter((text) => text.includes('tests'))
    expect(suites).toHaveLength(2)
    for (const suite of suites) {
      expect(suite).toMatch(/pass [1-9]\d/)
      expect(suite).toMatch(/fail 0/)
    }
  }, 300_000)

  it('takes a purger from another package, which moves files to the trash', async () => {
    const place = join(folder, 'trash')
    mkdirSync(place)
    writeFileSync(join(place, 'package.json'), '{"private": true}')
    install(place, tarball, pack(folder, join(root, 'examples/purger-move-to-trash')))
    const example = join(place, 'node_modules/moulin-purger-move-to-trash')
    run(example, 'node', '--test')
    await using database = await createDatabase('postgres')
    run(example, 'env', `LEDGER_URL=${database.url}`, 'node', '--test')

    const config = {
      server: { port: 0 },
      warehouses: {
        main: { location: './lake', storage: { type: 'local', allowedLocations: [join(place, 'bin')] } },
      },
      purge: { purger: 'moulin-purger-move-to-trash', options: { trash: join(place, 'bin') } },
    }
    writeFileSync(join(place, 'moulin.yaml'), JSON.stringify(config))
    const server = new Cli(['serve', '--config', 'moulin.yaml'], {
      cwd: place,
      main: join(place, 'node_modules/moulin/dist/cli/main.js'),
    })
    try {
      const api = `${await server.says(/(http:\/\/[\d.]+:\d+)/)}/v1/main`
      const post = (path: string, body: object) =>
        fetch(`${api}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      await post('/namespaces', { namespace: ['ns'] })
      const schema = { type: 'struct', 'schema-id': 0, fields: [] }
      expect((await post('/namespaces/ns/tables', { name: 't', schema })).status).toBe(200)
      const before = filesIn(join(place, 'lake'))
      expect(before).toHaveLength(1)
      const dropped = await fetch(`${api}/namespaces/ns/tables/t?purgeRequested=true`, { method: 'DELETE' })
      expect(dropped.status).toBe(204)
      await expect.poll(() => filesIn(join(place, 'lake')), { timeout: 20_000 }).toEqual([])
      expect(filesIn(join(place, 'bin')).map((path) => path.split('/').at(-1))).toEqual(
        before.map((path) => path.split('/').at(-1)),
      )
    } finally {
      server.child.kill()
      await server.ended
    }
  }, 300_000)
})

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
