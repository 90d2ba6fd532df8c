import { randomUUID } from 'node:crypto'
import { Consumer, MessagesStreamFallbackModes, MessagesStreamModes } from '@platformatic/kafka'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CloudEvent } from '../../src/events/event.ts'
import { startEventRelay } from '../../src/events/start.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'
import { toolchain } from '../interop/toolchain.ts'
import { Cluster } from './cluster.ts'

const jars = toolchain('MOULIN_TEST_KAFKA', 'kafka')
const tables = 20

describe.skipIf(jars === undefined)('events on Kafka', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start(jars!)
  })
  afterAll(async () => {
    await cluster?.close()
  })

  it('come as CloudEvents, those of one table in order, all of them in spite of a broker that dies', async () => {
    await using fixture = await PurgeFixture.open('sqlite')
    const { database } = fixture
    const topic = `events-${randomUUID()}`
    const options = {
      brokers: [cluster.broker.address],
      topic,
      createTopics: { partitions: 3, replication: 1 },
    }
    const logger = pino({ level: 'silent' })
    const relay = await startEventRelay({ sinks: [{ type: 'kafka', options }] }, database, 'test:1', logger)
    for (let index = 0; index < tables; index++) {
      await fixture.table(`t${index}`, { snapshots: 1, filesPerSnapshot: 1 })
      if (index === tables / 2) await cluster.broker.kill()
      await fixture.run(await fixture.drop(`t${index}`))
    }
    await cluster.broker.start()
    await expect
      .poll(async () => await database.reader.selectFrom('events').select('type').execute(), {
        timeout: 60_000,
      })
      .toEqual([])
    await relay!.stop()

    const consumer = new Consumer({
      clientId: 'test',
      groupId: randomUUID(),
      bootstrapBrokers: [cluster.broker.address],
    })
    const stream = await consumer.consume({
      topics: [topic],
      mode: MessagesStreamModes.EARLIEST,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST,
      maxWaitTime: 100,
    })
    const events = new Map<string, CloudEvent>()
    for await (const message of stream) {
      const event = JSON.parse(String(message.value)) as CloudEvent
      expect(String(message.key)).toBe(event.subject)
      const type = [...message.headers].find(([name]) => String(name) === 'content-type')?.[1]
      expect(String(type)).toBe('application/cloudevents+json; charset=UTF-8')
      if (!events.has(event.id)) events.set(event.id, event)
      // The namespace; of each table two and of its purge three.
      if (events.size === 1 + tables * 5) break
    }
    await consumer.close(true)
    const purges = Map.groupBy(
      [...events.values()].filter(({ data }) => data.purge !== undefined),
      ({ subject }) => subject,
    )
    expect(purges.size).toBe(tables)
    for (const [, lives] of purges) {
      expect(lives.map(({ type }) => type)).toEqual([
        'moulin.purge.pending',
        'moulin.purge.running',
        'moulin.purge.succeeded',
      ])
    }
  })
})
