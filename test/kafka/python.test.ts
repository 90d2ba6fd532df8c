import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keptReceipt, type Receipt } from '../../src/purge/purgers/kafka/messages.ts'
import { toolchain } from '../interop/toolchain.ts'
import { Cluster } from './cluster.ts'
import { KafkaFixture } from './fixture.ts'
import { startPythonConsumer } from './python-consumer.ts'

const jars = toolchain('MOULIN_TEST_KAFKA', 'kafka')
const python = toolchain('MOULIN_TEST_KAFKA_PYTHON', 'kafka')

describe.skipIf(jars === undefined || python === undefined)('the consumer in Python', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start(jars!)
  })
  afterAll(async () => {
    await cluster?.close()
  })

  it('takes the place of ours: all erased, nothing else', async () => {
    const options = cluster.options({ taskEntries: 40 })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    const neighbour = await purges.table('neighbour')
    await purges.table('t', {
      snapshots: 4,
      filesPerSnapshot: 30,
      borrowed: neighbour.files.data.slice(0, 2),
    })
    const receipts: Receipt[] = []
    cluster.listen(options, 'results', (message) => void receipts.push(keptReceipt(message)!))
    await using consumer = startPythonConsumer(python!, options)
    const id = await purges.drop('t')
    const end = await fixture.finished(id)
    expect(end, consumer.stderr()).toMatchObject({ state: 'succeeded' })
    expect(await purges.files()).toEqual(Object.values(neighbour.files).flat().toSorted())
    await expect.poll(() => receipts.length).toBeGreaterThanOrEqual(4)
    expect(
      receipts.every((receipt) => receipt.consumer.startsWith('python:') && receipt.error === null),
    ).toBe(true)
    const left = receipts.reduce((sum, { counts }) => sum + counts.left, 0)
    expect(left, 'files in the neighbour’s place').toBeGreaterThan(0)
  })

  it('keeps what lies in the place of another table', async () => {
    const options = cluster.options({ taskEntries: 1_000 })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    await purges.table('inner')
    const outer = await purges.tableAt('outer', 'outer')
    const inside = `${purges.location('outer')}/data`
    await purges.place('inner', inside)
    await using consumer = startPythonConsumer(python!, options)
    const id = await purges.drop('outer')
    const end = await fixture.finished(id)
    expect(end, consumer.stderr()).toMatchObject({ state: 'succeeded' })
    const kept = outer.files.data.filter((path) => path.startsWith(`${inside}/`))
    expect(kept.length).toBeGreaterThan(0)
    expect(await purges.files()).toEqual(expect.arrayContaining(kept))
  })

  it('answers nothing to a task whose time is over, and passes over what is no task', async () => {
    const options = cluster.options({ taskEntries: 1_000, taskTimeout: '4s' })
    await using fixture = await KafkaFixture.open(options)
    const { purges } = fixture
    await purges.table('t')
    const id = await purges.drop('t')
    const receipts: Receipt[] = []
    cluster.listen(options, 'results', (message) => void receipts.push(keptReceipt(message)!))
    await fixture.attempt(id)
    await cluster.publishBytes(options, 'tasks', ['{"version": 1', '[]', 'null', '{"version": 1}', null])
    await sleep(4_500)
    const before = await purges.files()
    await using consumer = startPythonConsumer(python!, options)
    await expect
      .poll(() => consumer.stderr().match(/message passed over/g), { timeout: 60_000 })
      .toHaveLength(6)
    expect(consumer.stderr()).toContain('its time is over')
    expect(receipts).toEqual([])
    expect(await purges.files()).toEqual(before)
    // What is overdue comes again, with more time.
    expect(await fixture.finished(id), consumer.stderr()).toMatchObject({ state: 'succeeded' })
    expect(receipts).toMatchObject([{ error: null }])
  })
})
