import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../config/load.ts'
import { CommandError } from './failure.ts'
import { clustersOf } from './kafka-clusters.ts'

const clusters = async (...warehouses: readonly Record<string, unknown>[]) => {
  const named = warehouses.map((options, index) => {
    return [`w${index}`, { location: `file:///lake/${index}`, purge: { purger: 'kafka', options } }]
  })
  const config = await parseConfig(stringify({ warehouses: Object.fromEntries(named) }))
  return clustersOf(config).map(({ names }) => names)
}

const brokers = ['k1:9092', 'k2:9092']
const sasl = { mechanism: 'PLAIN', username: 'moulin', password: 'secret' }

describe('warehouses that share a tasks topic', () => {
  it('share a consumer, whatever else they say', async () => {
    const others = [
      { brokers, taskEntries: 5, taskTimeout: '1h', clientId: 'x' },
      { brokers: ['k2:9092', 'k3:9092'], createTopics: { partitions: 3 } },
    ]
    expect(await clusters({ brokers }, ...others)).toEqual([['w0', 'w1', 'w2']])
  })

  it('do not share one where the brokers or the topic are others', async () => {
    const topics = { tasks: 'other' }
    const given = [{ brokers }, { brokers: ['far:9092'] }, { brokers, topics }, { brokers }]
    expect(await clusters(...given)).toEqual([['w0', 'w3'], ['w1'], ['w2']])
  })

  it.each([
    ['sasl', { sasl }],
    ['tls', { tls: {} }],
    ['topics.results', { topics: { results: 'other' } }],
  ])('are refused when they differ in %s, without a word of the values', async (option, more) => {
    const error: unknown = await clusters({ brokers }, { brokers, ...more }).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(CommandError)
    const { message } = error as CommandError
    expect(message).toContain('The warehouses w0 and w1 have the same tasks topic, moulin-tasks')
    expect(message).toContain(`differ in ${option} `)
    expect(message).not.toContain('secret')
  })
})
