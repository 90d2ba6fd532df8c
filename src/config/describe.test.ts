import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { describeConfig } from './describe.ts'
import { configSchema } from './json-schema.ts'
import { parseConfig } from './load.ts'
import { configReference } from './reference.ts'

describe('a configuration that is shown', () => {
  const text = `
    server: {maxBodyBytes: 1024, shutdownTimeout: 90s}
    database: {url: "postgres://user:hunter2@db:5432/moulin?password=hunter2"}
    warehouses:
      w:
        location: s3://b/x
        storage: {type: s3, accessKeyId: hunter2, secretAccessKey: hunter2, sessionToken: hunter2}
        purge: {options: {token: hunter2}}
  `

  it('hides secrets', async () => {
    const shown = describeConfig(await parseConfig(text))
    expect(JSON.stringify(shown)).not.toContain('hunter2')
    expect(shown.database).toEqual({ url: 'postgres://db:5432/moulin', poolSize: 16 })
    expect(shown.warehouses).toMatchObject({
      w: {
        location: 's3://b/x',
        storage: { secretAccessKey: '(hidden)', region: 'us-east-1' },
        purge: { purger: 'sql-async', options: { token: '(hidden)' } },
      },
    })
  })

  it('carries units, and may be read again', async () => {
    const { server } = describeConfig(await parseConfig(text)) as { server: object }
    expect(server).toMatchObject({
      maxBodyBytes: '1KiB',
      shutdownTimeout: '90s',
      idempotencyKeyLifetime: '30m',
    })
    const again = await parseConfig(JSON.stringify({ server }))
    expect(again.server).toEqual((await parseConfig(text)).server)
  })
})

describe('files made from the definition (`npm run generate` renews them)', () => {
  const written = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

  it('schema/config.schema.json is current', () => {
    expect(JSON.parse(written('schema/config.schema.json'))).toEqual(configSchema())
  })

  it('docs/reference/configuration.md is current', () => {
    expect(written('docs/reference/configuration.md')).toBe(configReference())
  })

  it('docs/reference/configuration.md says what lists hold, and which numbers there are', () => {
    const rows = configReference().split('\n')
    const row = (key: string) => rows.filter((line) => line.startsWith(`| \`${key}\` |`))
    expect(row('filesPerSecond')[0]).toContain('| integer, at least 1 |')
    expect(row('storage.allowedLocations')[0]).toContain('| list of strings |')
    for (const prefix of ['', 'purge.']) {
      expect(row(`${prefix}routes`)[0]).toContain('| list of mappings |')
      expect(row(`${prefix}routes[].when.minFiles`)[0]).toContain('| integer, at least 1 |')
      expect(row(`${prefix}routes[].purger`)[0]).toContain('| string | **required** |')
      expect(row(`${prefix}routes[].options`)[0]).toContain('| mapping |')
    }
    expect(row('sinks')[0]).toContain('| list of mappings |')
    expect(row('sinks[].type')[0]).toContain('| `kafka` | **required** |')
    expect(rows.filter((line) => line.includes('undefined'))).toEqual([])
  })
})
