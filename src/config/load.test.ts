// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own references
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig, parseConfig } from './load.ts'
import { ConfigError } from './problems.ts'

const folder = mkdtempSync(join(tmpdir(), 'moulin-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function written(text: string, name = 'moulin.yaml'): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

/** The problems of a configuration, each as `key message`, and the whole message. */
async function problemsOf(load: Promise<unknown>): Promise<{ problems: string[]; message: string }> {
  try {
    await load
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const problems = error.problems.map(({ key, message }) => `${key.join('.')} ${message}`)
    return { problems, message: error.message }
  }
  throw new Error('The configuration was accepted.')
}

describe('without a file', () => {
  it('is SQLite, one local warehouse, loopback', async () => {
    expect(await loadConfig({ env: {}, folder: '/srv' })).toEqual({
      server: {
        host: '127.0.0.1',
        port: 8181,
        allowInsecure: false,
        maxBodyBytes: 67108864,
        shutdownTimeout: 10_000,
        idempotencyKeyLifetime: 1_800_000,
      },
      database: { url: 'sqlite:/srv/moulin-data/catalog.db', poolSize: 16 },
      warehouses: {
        default: {
          location: 'file:///srv/moulin-data/warehouse',
          storage: { type: 'local', allowedLocations: [] },
          catalog: { type: 'sql' },
          purge: {
            purger: 'sql-async',
            options: {},
            routes: [],
            views: false,
            deleteConcurrency: 8,
            leaseTimeout: 300_000,
            maxAttempts: 5,
            backoffBase: 30_000,
            backoffMax: 3_600_000,
            priority: 0,
            completedRetention: 604_800_000,
            retention: 0,
            sweep: 'owned',
            versions: 'current',
            workers: 4,
            pollInterval: 5_000,
            claimBatch: 16,
          },
        },
      },
      purge: { workers: 4, pollInterval: 5_000, claimBatch: 16 },
      events: { sinks: undefined },
      logging: { level: 'info' },
    })
  })

  it('is frozen all the way down', async () => {
    const config = await loadConfig({ env: {} })
    expect(() => Object.assign(config.server, { port: 1 })).toThrow(TypeError)
    expect(() => Object.assign(config.warehouses.default!.purge.options, { a: 1 })).toThrow(TypeError)
  })
})

describe('a file', () => {
  it('is found relative to the working directory, and its paths begin at its own folder', async () => {
    written('database: {url: "sqlite:db/c.db"}\nwarehouses: {a: {location: ../lake}}')
    const config = await loadConfig({ file: 'moulin.yaml', folder, env: {} })
    expect(config.database.url).toBe(`sqlite:${folder}/db/c.db`)
    expect(config.warehouses.a!.location).toBe(`file://${join(folder, '../lake')}`)
  })

  it('may be named by MOULIN_CONFIG', async () => {
    const file = written('server: {port: 9000}')
    expect((await loadConfig({ env: { MOULIN_CONFIG: file } })).server.port).toBe(9000)
  })

  it('may be empty, and so may its sections', async () => {
    expect((await parseConfig('')).server.port).toBe(8181)
    expect((await parseConfig('server:\nlogging:\n  # level: debug\n')).server.port).toBe(8181)
  })

  it('takes durations and sizes with units', async () => {
    const { server } = await parseConfig(
      'server: {shutdownTimeout: 1.5s, idempotencyKeyLifetime: 1d, maxBodyBytes: 512KiB}',
    )
    expect(server).toMatchObject({
      shutdownTimeout: 1500,
      idempotencyKeyLifetime: 86_400_000,
      maxBodyBytes: 524_288,
    })
    expect((await parseConfig('server: {maxBodyBytes: 1000}')).server.maxBodyBytes).toBe(1000)
  })

  it('that is absent, a folder, or no YAML is named', async () => {
    expect((await problemsOf(loadConfig({ file: join(folder, 'none.yaml'), env: {} }))).message).toMatch(
      /none\.yaml.*\n.*\n.*no such file/,
    )
    expect((await problemsOf(loadConfig({ file: folder, env: {} }))).message).toContain('EISDIR')
    const { message } = await problemsOf(parseConfig('server: {port: 1\nsecret: hunter2'))
    expect(message).toMatch(/not YAML at line \d+, column \d+/)
    expect(message).not.toContain('hunter2')
    expect((await problemsOf(parseConfig('a: 1\na: 2'))).message).toContain('duplicate key')
    expect((await problemsOf(parseConfig('- a'))).message).toContain('must be a mapping of sections')
  })
})

describe('locations', () => {
  const locationOf = async (text: string) =>
    (await parseConfig(`warehouses: {w: {location: "${text}"}}`, { folder: '/srv' })).warehouses.w!

  it.each([
    ['lake', 'file:///srv/lake'],
    ['./lake/', 'file:///srv/lake'],
    ['/lake/a/../b', 'file:///lake/b'],
    ['file:/lake', 'file:///lake'],
    ['file:///lake/', 'file:///lake'],
    ['s3://bucket/a b/', 's3://bucket/a b'],
    ['s3a://bucket/x', 's3://bucket/x'],
  ])('%s is %s', async (text, location) => {
    expect((await locationOf(text)).location).toBe(location)
  })

  it('choose the storage', async () => {
    expect((await locationOf('lake')).storage).toEqual({ type: 'local', allowedLocations: [] })
    expect((await locationOf('s3://b/x')).storage).toEqual({
      type: 's3',
      endpoint: undefined,
      region: 'us-east-1',
      pathStyleAccess: false,
      accessKeyId: undefined,
      secretAccessKey: undefined,
      sessionToken: undefined,
      checksums: 'when_required',
    })
  })

  it('that are allowed besides are made canonical, too', async () => {
    const config = await parseConfig(
      'warehouses: {w: {location: x, storage: {type: local, allowedLocations: [../old, /mnt/lake/]}}}',
      { folder: '/srv' },
    )
    expect(config.warehouses.w!.storage).toEqual({
      type: 'local',
      allowedLocations: ['file:///old', 'file:///mnt/lake'],
    })
  })
})

describe('purge', () => {
  it('may have routes, which a warehouse with a purger of its own does not inherit', async () => {
    const config = await parseConfig(`
      purge:
        routes:
          - {when: {minFiles: 5000000}, purger: ./batch.js, options: {queue: q}}
          - {when: {property: engine, value: x}, purger: "@acme/batch"}
      warehouses:
        same: {location: a}
        other: {location: b, purge: {purger: synchronous}}
        own: {location: c, purge: {routes: []}}
    `)
    const { same, other, own } = config.warehouses
    expect(same?.purge.routes).toMatchObject([
      {
        when: { minFiles: 5_000_000 },
        purger: expect.stringMatching(/^file:.*batch\.js$/),
        options: { queue: 'q' },
      },
      { when: { property: 'engine', value: 'x' }, purger: '@acme/batch', options: {} },
    ])
    expect([other?.purge.routes, own?.purge.routes]).toEqual([[], []])
    await expect(parseConfig('purge: {routes: [{when: {}, purger: x}]}')).rejects.toThrow(
      /purge\.routes\.0\.when.*give at least one of minFiles/,
    )
    await expect(parseConfig('purge: {routes: [{when: {files: 1}, purger: x}]}')).rejects.toThrow(/files/)
  })

  it('is inherited by warehouses, key by key; options stay with their purger', async () => {
    const config = await parseConfig(`
      purge: {purger: "@acme/batch", options: {queue: q}, views: true}
      warehouses:
        same: {location: a}
        own: {location: b, purge: {purger: synchronous}}
        tuned: {location: c, purge: {options: {queue: r}, views: false, retention: 2d, sweep: report}}
    `)
    expect(Object.values(config.warehouses).map(({ purge }) => purge)).toMatchObject([
      { purger: '@acme/batch', options: { queue: 'q' }, views: true, retention: 0, sweep: 'owned' },
      { purger: 'synchronous', options: {}, views: true },
      {
        purger: '@acme/batch',
        options: { queue: 'r' },
        views: false,
        retention: 172_800_000,
        sweep: 'report',
      },
    ])
  })
})

describe('workers', () => {
  it('are common, and a warehouse may say what it has of them, and how important it is', async () => {
    const config = await parseConfig(`
      purge: {workers: 8, pollInterval: 10s, claimBatch: 4, priority: 2}
      warehouses:
        same: {location: a}
        own: {location: b, purge: {workers: 2, pollInterval: 500ms, claimBatch: 1, priority: -1}}
    `)
    expect(config.purge).toMatchObject({ workers: 8, pollInterval: 10_000, claimBatch: 4 })
    expect(Object.values(config.warehouses).map(({ purge }) => purge)).toMatchObject([
      { workers: 8, pollInterval: 10_000, claimBatch: 4, priority: 2 },
      { workers: 2, pollInterval: 500, claimBatch: 1, priority: -1 },
    ])
    const { problems } = await problemsOf(parseConfig('purge: {priority: 101}'))
    expect(problems[0]).toContain('purge.priority is an integer; expected an integer from -100 to 100')
  })
})

describe('a purger', () => {
  it('that is a path begins at the folder of the file', async () => {
    const purgerOf = async (purger: string) =>
      (await parseConfig(`purge: {purger: "${purger}"}`, { folder: '/srv' })).warehouses.default!.purge.purger
    expect(await purgerOf('./purger.js')).toBe('file:///srv/purger.js')
    expect(await purgerOf('../a b.js')).toBe('file:///a%20b.js')
    expect(await purgerOf('@acme/batch')).toBe('@acme/batch')
  })
})

describe('environment variables', () => {
  const file = written(
    'warehouses: {eu-lake: {location: s3://a/b, purge: {options: {maxRetries: 1}}}}',
    'env.yaml',
  )
  const load = (env: NodeJS.ProcessEnv) => loadConfig({ file, env })

  it('override the file, whatever the case and the underscores within a level', async () => {
    const config = await load({
      MOULIN_SERVER__PORT: '9001',
      MOULIN_SERVER__MAX_BODY_BYTES: '1MiB',
      MOULIN_SERVER__allowinsecure: 'TRUE',
      MOULIN_WAREHOUSES__EU_LAKE__STORAGE__TYPE: 's3',
      MOULIN_WAREHOUSES__EU_LAKE__STORAGE__PATH_STYLE_ACCESS: 'true',
      MOULIN_WAREHOUSES__EU_LAKE__PURGE__OPTIONS__MAX_RETRIES: '5',
      MOULIN_WAREHOUSES__EU_LAKE__PURGE__OPTIONS__QUEUE_URL: 'u',
    })
    expect(config.server).toMatchObject({ port: 9001, maxBodyBytes: 1_048_576, allowInsecure: true })
    expect(config.warehouses['eu-lake']!.storage).toMatchObject({ type: 's3', pathStyleAccess: true })
    expect(config.warehouses['eu-lake']!.purge.options).toEqual({ maxRetries: '5', queueUrl: 'u' })
  })

  it('add a warehouse, and take lists', async () => {
    const config = await load({
      MOULIN_WAREHOUSES__LOCAL__LOCATION: '/lake',
      MOULIN_WAREHOUSES__LOCAL__STORAGE__TYPE: 'local',
      MOULIN_WAREHOUSES__LOCAL__STORAGE__ALLOWED_LOCATIONS: '/a, /b',
    })
    expect(config.warehouses.local!.storage).toEqual({
      type: 'local',
      allowedLocations: ['file:///a', 'file:///b'],
    })
  })

  it('without two underscores are none of ours', async () => {
    expect((await load({ MOULIN_SOMETHING: 'x', MOULINET__A: 'y' })).server.port).toBe(8181)
  })

  it('that fit nothing, or two keys, are named', async () => {
    expect((await problemsOf(load({ MOULIN_SERVR__PORT: '1' }))).problems).toEqual([
      ' has no key for the SERVR of MOULIN_SERVR__PORT; did you mean server?',
    ])
    expect((await problemsOf(load({ MOULIN_SERVER__PORT__X: '1' }))).message).toContain('remove what follows')
    expect(
      (await problemsOf(load({ MOULIN_SERVER__PORT: '1', MOULIN_Server__port: '2' }))).message,
    ).toContain(
      'server.port (MOULIN_Server__port) is set twice, by MOULIN_SERVER__PORT and MOULIN_Server__port.',
    )
    const twins = written('warehouses: {a-b: {location: a}, a.b: {location: b}}', 'twins.yaml')
    const clash = loadConfig({ file: twins, env: { MOULIN_WAREHOUSES__A_B__LOCATION: 'c' } })
    expect((await problemsOf(clash)).message).toContain('a-b and a.b both fit A_B')
  })

  it('with a wrong value are named, and the value is not', async () => {
    const { message } = await problemsOf(load({ MOULIN_SERVER__PORT: 'hunter2' }))
    expect(message).toContain('server.port (MOULIN_SERVER__PORT) is a string; expected an integer from 0')
    expect(message).not.toContain('hunter2')
  })

  it('give way to flags', async () => {
    const flags = [{ key: ['server', 'port'], value: 1234, flag: '--port' }]
    expect((await loadConfig({ env: { MOULIN_SERVER__PORT: '1' }, flags })).server.port).toBe(1234)
    const wrong = [{ key: ['server', 'port'], value: 99999, flag: '--port' }]
    expect((await problemsOf(loadConfig({ env: {}, flags: wrong }))).message).toContain(
      'server.port (--port)',
    )
  })

  it('do not reach an object prototype', async () => {
    await problemsOf(load({ MOULIN___PROTO____X: '1' }))
    await load({ MOULIN_WAREHOUSES__EU_LAKE__PURGE__OPTIONS____PROTO__: '1' }).catch(() => undefined)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('references', () => {
  const withKeys = `
    warehouses:
      w:
        location: s3://b/x
        storage: {type: s3, accessKeyId: "\${env:KEY}", secretAccessKey: "a\${env:SECRET}b$\${c"}
  `

  it('are replaced by environment variables', async () => {
    const config = await parseConfig(withKeys, { env: { KEY: 'id', SECRET: '${env:KEY}' } })
    expect(config.warehouses.w!.storage).toMatchObject({
      accessKeyId: 'id',
      secretAccessKey: 'a${env:KEY}b${c',
    })
  })

  it('to variables that are not set name the key and the variable', async () => {
    const { problems } = await problemsOf(parseConfig(withKeys, { env: { SECRET: 'hunter2' } }))
    expect(problems).toContain(
      'warehouses.w.storage.accessKeyId refers to the environment variable KEY, which is not set; set it before starting Moulin.',
    )
    expect(problems.join()).not.toContain('hunter2')
  })

  it.each(['${KEY}', '${env:}', '${env:A-B}', '${env:A'])('%s is refused', async (text) => {
    const { problems } = await problemsOf(parseConfig(`database: {url: "${text}"}`))
    expect(problems[0]).toContain('database.url holds a "${" that begins no reference')
  })
})

describe('what is refused', () => {
  it.each([
    ['server: {prot: 1}', 'server.prot is not a key that Moulin knows; did you mean port?'],
    ['server: {max_body_bytes: 1}', 'server.max_body_bytes is not a key that Moulin knows; did you mean max'],
    [
      'sever: {}\nserver: {xyzzy: 1}',
      'server.xyzzy is not a key that Moulin knows; here it knows host, port, ',
    ],
    ['server: []', 'server is a list; expected a mapping'],
    [
      'server: {port: "8181"}',
      'server.port is a string; expected an integer from 0 to 65535. Remove the quo',
    ],
    ['server: {port: 65536}', 'server.port is an integer; expected an integer from 0 to 65535.'],
    ['server: {port: 1.5}', 'server.port is a number with a fraction; expected an integer'],
    ['server: {port: }', 'server.port is empty; expected an integer'],
    ['server: {host: ""}', 'server.host is an empty string; expected a string such as "127.0.0.1"'],
    ['server: {allowInsecure: "yes"}', 'server.allowInsecure is a string; expected true or false.'],
    ['server: {allowInsecure: "true"}', 'expected true or false. Remove the quotes.'],
    ['server: {shutdownTimeout: 10}', 'is an integer; expected a duration with its unit'],
    ['server: {shutdownTimeout: 10 s}', 'is a string; expected a duration with its unit'],
    ['server: {maxBodyBytes: 64M}', 'is a string; expected a number of bytes, or a size such as'],
    ['purge: {filesPerSecond: 0}', 'is an integer; expected an integer of at least 1.'],
    ['server: {maxBodyBytes: 0}', 'is an integer; expected a number of bytes'],
    ['server: {maxBodyBytes: 0MiB}', 'is a string; expected a number of bytes'],
    ['database: {url: mysql://h/d}', 'database.url is a string; expected a string such as "sqlite:'],
    ['database: {url: "sqlite::memory:"}', 'database.url names no file'],
    ['database: {url: "sqlite:"}', 'database.url names no file'],
    ['logging: {level: inf}', 'logging.level is a string; expected "trace", "debug", "info", "warn", "err'],
    ['logging: {level: inf}', 'Did you mean "info"?'],
    ['warehouses: {}', 'warehouses is empty; name at least one warehouse'],
    ['warehouses:', 'warehouses is empty; name at least one warehouse'],
    ['warehouses: []', 'warehouses is a list; expected a mapping'],
    ['warehouses: {a/b: {location: x}}', 'warehouses.a/b is no name for a warehouse'],
    ['warehouses: {a: }', 'warehouses.a.location is missing; expected a string such as "./warehouse" or'],
    [
      'warehouses: {a: {location: "gs://b/x"}}',
      'warehouses.a.location is not a location that Moulin can serve',
    ],
    [
      'warehouses: {a: {location: x, storage: local}}',
      'warehouses.a.storage is a string; expected a mapping',
    ],
    ['warehouses: {a: {location: x, storage: {}}}', 'storage.type is missing; expected "local" or "s3".'],
    [
      'warehouses: {a: {location: x, storage: {type: S3}}}',
      'storage.type is a string; expected "local" or "s3"',
    ],
    [
      'warehouses: {a: {location: x, storage: {type: s3}}}',
      'storage.type does not fit the location, which is a',
    ],
    [
      'warehouses: {a: {location: "s3://b", storage: {type: local}}}',
      'does not fit the location, which is in S3',
    ],
    [
      'warehouses: {a: {location: "s3://b", storage: {type: s3, accessKeyId: hunter2}}}',
      'storage.secretAccessKey is missing, but accessKeyId is there; set both or neither.',
    ],
    [
      'warehouses: {a: {location: x, storage: {type: local, allowedLocations: /y}}}',
      'storage.allowedLocations is a string; expected a list',
    ],
    [
      'warehouses: {a: {location: x, storage: {type: local, allowedLocations: [1]}}}',
      'storage.allowedLocations.0 is an integer; expected a string',
    ],
    ['purge: {views: 1}', 'purge.views is an integer; expected true or false.'],
    ['purge: {filesPerSecond: 0}', 'purge.filesPerSecond is an integer; expected an integer of at least 1.'],
    [
      'purge: {routes: [{when: {minFiles: 0}, purger: x}]}',
      'when.minFiles is an integer; expected an integer of at least 1.',
    ],
    [
      'purge: {leaseTimeout: 0s}',
      'purge.leaseTimeout is a string; expected a duration of at least "1s", with',
    ],
    ['purge: {pollInterval: 49ms}', 'purge.pollInterval is a string; expected a duration of at least "50ms"'],
    [
      'warehouses: {a: {location: x, purge: {leaseTimeout: 999ms}}}',
      'warehouses.a.purge.leaseTimeout is a string; expected a duration of at least "1s"',
    ],
  ])('%s', async (text, expected) => {
    const { problems, message } = await problemsOf(parseConfig(text))
    expect(problems.join('\n')).toContain(expected)
    expect(message).not.toContain('hunter2')
  })

  it('a route without its conditions, once', async () => {
    const { problems } = await problemsOf(parseConfig('purge: {routes: [{purger: x}]}'))
    expect(problems).toEqual([
      'purge.routes.0.when is missing; give at least one of minFiles, property, value.',
    ])
  })

  it('a first wait above the longest, with both keys, where it was set', async () => {
    const of = async (text: string) => (await problemsOf(parseConfig(text))).message
    expect(await of('purge: {backoffMax: 10s}')).toMatch(
      /purge\.backoffMax \(line 1\) is shorter than purge\.backoffBase, set or by default/,
    )
    const warehouse = (terms: string) => `warehouses: {a: {location: x, purge: {${terms}}}}`
    expect(await of(warehouse('backoffBase: 2h'))).toMatch(
      /one problem.*warehouses\.a\.purge\.backoffBase \(line 1\) is longer than warehouses\.a\.purge\.backoffMax/s,
    )
    expect(await of(warehouse('backoffBase: 2h, backoffMax: 1h'))).toMatch(/one problem/)
    await parseConfig(warehouse('backoffBase: 1h, backoffMax: 1h'))
  })

  it('a host that others reach, unless it is said that this is meant', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.2', 'example.com', '127.0.0.1.example.com']) {
      const { problems } = await problemsOf(parseConfig(`server: {host: "${host}"}`))
      expect(problems).toEqual([
        expect.stringMatching(/^server\.host is not a loopback.*allowInsecure: true/),
      ])
      expect((await parseConfig(`server: {host: "${host}", allowInsecure: true}`)).server.host).toBe(host)
    }
    for (const host of ['localhost', '::1', '127.0.0.2']) await parseConfig(`server: {host: "${host}"}`)
  })

  it('all at once, each with its line', async () => {
    const file = written('server:\n  port: x\n  hots: y\nlogging:\n  level: 7\n', 'three.yaml')
    const { problems, message } = await problemsOf(loadConfig({ file, env: {} }))
    expect(problems).toHaveLength(3)
    expect(message).toMatch(/server\.hots \(line 3\).*server\.port \(line 2\).*logging\.level \(line 5\)/s)
  })
})
