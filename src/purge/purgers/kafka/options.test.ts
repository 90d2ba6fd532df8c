import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { kafkaOptions } from './options.ts'

const brokers = ['one:9092', '[::1]:9092']

it('fills in what is not said', () => {
  expect(kafkaOptions({ brokers })).toEqual({
    brokers,
    topics: { tasks: 'moulin-tasks', results: 'moulin-receipts' },
    clientId: 'moulin',
    tls: undefined,
    sasl: undefined,
    taskEntries: 100_000,
    taskTimeout: 1_800_000,
    createTopics: undefined,
  })
  expect(kafkaOptions({ brokers, createTopics: {}, taskTimeout: '90s' })).toMatchObject({
    createTopics: { partitions: 12, replication: 3 },
    taskTimeout: 90_000,
  })
})

it('reads the files of tls', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moulin-kafka-options-'))
  try {
    for (const name of ['ca', 'cert', 'key']) writeFileSync(join(folder, name), `the ${name}`)
    const tls = { ca: join(folder, 'ca'), cert: join(folder, 'cert'), key: join(folder, 'key') }
    expect(kafkaOptions({ brokers, tls }).tls).toEqual({ ca: 'the ca', cert: 'the cert', key: 'the key' })
    expect(kafkaOptions({ brokers, tls: {} }).tls).toEqual({ ca: undefined, cert: undefined, key: undefined })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it.each([
  [{}, 'brokers is missing'],
  [{ brokers: [] }, 'brokers must be a list'],
  [{ brokers: ['no-port'] }, 'brokers must be a list'],
  [{ brokers, broker: 1 }, 'broker is not an option'],
  [{ brokers, topics: { tasks: 'a b' } }, 'topics.tasks must be'],
  [{ brokers, topics: { tasks: 'a', results: 'a' } }, 'the same topic'],
  [{ brokers, topics: 'a' }, 'topics must be a mapping'],
  [{ brokers, clientId: '' }, 'clientId must be'],
  [{ brokers, taskEntries: 0 }, 'taskEntries must be an integer from 1'],
  [{ brokers, taskTimeout: 60 }, 'taskTimeout must be a duration'],
  [{ brokers, createTopics: { partition: 3 } }, 'createTopics.partition is not an option'],
  [{ brokers, tls: { cert: '/nowhere', key: '/nowhere' } }, 'tls.cert names a file that cannot be read'],
  [{ brokers, sasl: { mechanism: 'GSSAPI' } }, 'sasl.mechanism must be one of'],
  [{ brokers, sasl: { mechanism: 'PLAIN', username: 'u' } }, 'sasl.password is missing'],
])('refuses %j', (options, message) => {
  expect(() => kafkaOptions(options)).toThrow(message)
})

it('asks for both halves of a client certificate', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moulin-kafka-options-'))
  try {
    writeFileSync(join(folder, 'cert'), 'the cert')
    expect(() => kafkaOptions({ brokers, tls: { cert: join(folder, 'cert') } })).toThrow('belong together')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('never tells a secret', () => {
  const sasl = { mechanism: 'PLAIN', username: 'u', password: ['hunter2'] }
  const message = (() => {
    try {
      kafkaOptions({ brokers, sasl })
    } catch (error) {
      return String(error)
    }
    return ''
  })()
  expect(message).toContain('sasl.password must be a text')
  expect(message).not.toContain('hunter2')
})
