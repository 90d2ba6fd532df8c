import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Publisher, Subscription } from '../../src/purge/purgers/kafka/client.ts'
import { kafkaOptions } from '../../src/purge/purgers/kafka/options.ts'
import { Random } from '../../src/testing/random.ts'
import { toolchain } from '../interop/toolchain.ts'
import { Cluster } from './cluster.ts'

const jars = toolchain('MOULIN_TEST_KAFKA', 'kafka')
/** Members that come and go, of one group. */
const rounds = 40
const most = 4
/** Milliseconds: what is said of a member that stops is known after this, or it hangs. */
const patience = 30_000
const longerThanASession = 12_000

describe.skipIf(jars === undefined)('members of a group', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start(jars!)
  })
  afterAll(async () => {
    await cluster?.close()
  })

  it('come and go in the midst of rebalances: none hangs, none ends the process, every message is dealt with', async () => {
    const options = kafkaOptions(cluster.options())
    const random = new Random(1)
    const group = `test-${randomUUID()}`
    const heard = new Set<string>()
    const said: string[] = []
    const publisher = new Publisher(options)
    const say = async () => {
      const word = randomUUID()
      await publisher.publish(options.topics.tasks, { key: word, body: word })
      said.push(word)
    }
    const join = () =>
      new Subscription(options, {
        topic: options.topics.tasks,
        group,
        logger: pino({ level: 'silent' }),
        handle: async (body, signal) => {
          await sleep(random.between(0, 20), undefined, { signal })
          heard.add(JSON.parse(body.toString()) as string)
        },
      })
    const members = [join()]
    for (let round = 0; round < rounds; round++) {
      await say()
      // As a member that joins makes the others join anew, who stops is often about to.
      await sleep(random.between(0, 400))
      if (members.length === most || (members.length > 1 && random.chance(0.5))) {
        const [leaving] = members.splice(random.between(0, members.length - 1), 1)
        await inTime(leaving!.stop())
      } else members.push(join())
    }
    await expect.poll(() => said.filter((word) => !heard.has(word)), { timeout: 60_000 }).toEqual([])
    await inTime(Promise.all(members.map((member) => member.stop())))
    await publisher.close()
  })

  it('stop at any moment of their beginning', async () => {
    const options = kafkaOptions(cluster.options())
    const random = new Random(2)
    for (let round = 0; round < rounds; round++) {
      const member = new Subscription(options, {
        topic: options.topics.tasks,
        group: `test-${randomUUID()}`,
        logger: pino({ level: 'silent' }),
        handle: async () => {},
      })
      await sleep(random.between(0, 150))
      await inTime(member.stop())
    }
  })

  it('go on after a broker that was away for longer than a session', async () => {
    const options = cluster.options()
    const heard = new Set<unknown>()
    cluster.listen(options, 'tasks', (word) => void heard.add(word))
    const publish = cluster.publisher(options, 'tasks')
    await publish('before')
    await expect.poll(() => heard.has('before'), { timeout: 60_000 }).toBe(true)
    await cluster.broker.kill()
    await sleep(longerThanASession)
    await cluster.broker.start()
    await publish('after')
    await expect.poll(() => heard.has('after'), { timeout: 90_000 }).toBe(true)
  })
})

async function inTime(stopping: Promise<unknown>): Promise<void> {
  const late = Symbol('late')
  expect(await Promise.race([stopping.then(() => 'stopped'), sleep(patience, late, { ref: false })])).toBe(
    'stopped',
  )
}
