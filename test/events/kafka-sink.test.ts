import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { makeSinks, startEventRelay } from '../../src/events/start.ts'
import { PurgeFixture } from '../../src/testing/purge-fixture.ts'

/** A broker that takes connections and never answers. */
async function silentBroker() {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    sockets.add(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

it.each([
  ['is asked for its topics', { partitions: 1, replication: 1 }],
  ['is sent to', undefined],
])(
  'a broker that says nothing when it %s does not keep the server from stopping',
  async (_what, createTopics) => {
    await using fixture = await PurgeFixture.open()
    await using broker = await silentBroker()
    const options = { brokers: [broker.address], ...(createTopics && { createTopics }) }
    const relay = await startEventRelay(
      { sinks: [{ type: 'kafka', options }] },
      fixture.database,
      'test:1',
      pino({ level: 'silent' }),
    )
    await fixture.table('t')
    await expect.poll(() => broker.sockets.size, { timeout: 10_000 }).toBeGreaterThan(0)
    const began = performance.now()
    await relay!.stop()
    expect(performance.now() - began).toBeLessThan(8_000)
    const [sink] = await fixture.database.reader.selectFrom('event_sinks').selectAll().execute()
    expect(sink).toMatchObject({
      name: `kafka:moulin-events@${broker.address}`,
      position: 0,
      lease_owner: null,
    })
  },
)

it('two sinks that are one are refused; clusters and topics tell them apart', async () => {
  const kafka = (brokers: string[], topic?: string) => ({
    type: 'kafka' as const,
    options: { brokers, ...(topic !== undefined && { topic }) },
  })
  const sinks = await makeSinks({ sinks: [kafka(['a:1']), kafka(['b:1']), kafka(['a:1'], 'other')] })
  expect(new Set(sinks.map(({ name }) => name)).size).toBe(3)
  for (const sink of sinks) await sink.close()
  await expect(makeSinks({ sinks: [kafka(['a:1', 'b:1']), kafka(['b:1', 'a:1'])] })).rejects.toThrow(
    'events.sinks.1: the same sink as events.sinks.0',
  )
})
