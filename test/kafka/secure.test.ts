import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KafkaBroker } from '../../src/testing/stores/kafka.ts'
import { toolchain } from '../interop/toolchain.ts'
import { isThereOpenssl } from '../openssl.ts'
import { Authority } from './authority.ts'
import { KafkaFixture } from './fixture.ts'

const jars = toolchain('MOULIN_TEST_KAFKA', 'kafka')
const hasOpenssl = isThereOpenssl('Kafka over TLS')

const username = 'moulin'
const password = 'let-me-in-7f3a'

describe.skipIf(jars === undefined || !hasOpenssl)(
  'the purger kafka on listeners that are closed to strangers',
  () => {
    let folder: string
    let broker: KafkaBroker
    let ca: string
    let client: { cert: string; key: string }
    let stranger: Authority
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'moulin-kafka-tls-'))
      const authority = new Authority(folder, 'authority')
      stranger = new Authority(folder, 'stranger')
      ca = authority.certificate
      const { cert, key } = authority.issue('client')
      client = { cert, key }
      broker = await KafkaBroker.start(jars!, {
        keystore: authority.issue('broker').both,
        truststore: ca,
        username,
        password,
      })
    })
    afterAll(async () => {
      await broker?.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const options = (address: string, more: object) => {
      const topics = { tasks: `tasks-${randomUUID()}`, results: `receipts-${randomUUID()}` }
      return {
        brokers: [address],
        topics,
        createTopics: { partitions: 2, replication: 1 },
        taskEntries: 40,
        ...more,
      }
    }

    const succeeds = async (address: string, more: object) => {
      await using fixture = await KafkaFixture.open(options(address, more))
      const { purges } = fixture
      const neighbour = await purges.table('neighbour')
      await purges.table('t')
      fixture.work()
      const id = await purges.drop('t')
      expect(await fixture.finished(id)).toMatchObject({ state: 'succeeded' })
      expect(await purges.files()).toEqual(Object.values(neighbour.files).flat().toSorted())
    }

    it('proves who it is by a certificate', async () => {
      await succeeds(broker.mutualTlsAddress, { tls: { ca, ...client } })
    })

    it.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])('proves who it is by %s', async (mechanism) => {
      await succeeds(broker.saslAddress, { tls: { ca }, sasl: { mechanism, username, password } })
    })

    // Together, because a publisher gives up after half a minute.
    it.concurrent.for([
      [
        'a wrong password',
        'saslAddress',
        () => ({ tls: { ca }, sasl: sasl('PLAIN', `${password}!`) }),
        /authenticat/i,
      ],
      [
        'a wrong password',
        'saslAddress',
        () => ({ tls: { ca }, sasl: sasl('SCRAM-SHA-512', `${password}!`) }),
        /authenticat/i,
      ],
      [
        'a broker of another authority',
        'saslAddress',
        () => ({ tls: { ca: stranger.certificate }, sasl: sasl('PLAIN', password) }),
        /self-signed|unable to verify|certificate/i,
      ],
      ['no certificate of its own', 'mutualTlsAddress', () => ({ tls: { ca } }), /Connection closed/],
    ] as const)(
      'tells what is wrong with %s, no secret, and erases nothing',
      async ([, address, more, reason], { expect }) => {
        await using fixture = await KafkaFixture.open(options(broker[address], more()))
        const { purges } = fixture
        const table = await purges.table('t')
        fixture.work()
        const id = await purges.drop('t')
        const end = await fixture.attempt(id)
        expect(end).toMatchObject({ state: 'pending' })
        expect(end.message).toMatch(reason)
        await expect
          .poll(() => fixture.logged(), { timeout: 30_000 })
          .toMatch(/consumer of Kafka interrupted/)
        for (const told of [end.message, fixture.logged()]) expect(told).not.toContain(password)
        expect(await purges.files()).toEqual(Object.values(table.files).flat().toSorted())
      },
    )
  },
)

function sasl(mechanism: string, secret: string): object {
  return { mechanism, username, password: secret }
}
