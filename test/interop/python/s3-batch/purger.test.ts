import {
  GetBucketLifecycleConfigurationCommand,
  ListMultipartUploadsCommand,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dialects } from '../../../../src/testing/databases.ts'
import { testRun } from '../../../../src/testing/purge-run.ts'
import { type SeaweedFS, startSeaweedFS } from '../../../../src/testing/stores/seaweedfs.ts'
import { toolchain } from '../../toolchain.ts'
import { ServiceModel } from './service-model.ts'
import { Setting } from './setting.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')

/** Names of files as writers make them of partition values, and as they should not. */
const odd = [
  'p=a b/plus+sign.parquet',
  'p=100%/per%20cent.parquet',
  'p=Zürich/日本 🚀.parquet',
  'p="quoted"/it\'s (a) file!*.parquet',
  'p=a,b;c/back\\slash&amp;<x>.parquet',
  'p=~/~tilde.parquet',
  'p=line\nbreak/tab\tand\rreturn.parquet',
]
/** The same in a manifest, written out by hand. */
const encoded = [
  'p%3Da%20b/plus%2Bsign.parquet',
  'p%3D100%25/per%2520cent.parquet',
  'p%3DZ%C3%BCrich/%E6%97%A5%E6%9C%AC%20%F0%9F%9A%80.parquet',
  'p%3D%22quoted%22/it%27s%20%28a%29%20file%21%2A.parquet',
  'p%3Da%2Cb%3Bc/back%5Cslash%26amp%3B%3Cx%3E.parquet',
  'p%3D~/~tilde.parquet',
  'p%3Dline%0Abreak/tab%09and%0Dreturn.parquet',
]

describe.skipIf(python === undefined)('the purger s3-batch', () => {
  let store: SeaweedFS
  let model: ServiceModel
  beforeAll(async () => {
    store = await startSeaweedFS(python!)
    await store.createBucket('manifests')
    model = new ServiceModel(python!)
  })
  afterAll(() => store?.close())

  const open = (options?: Record<string, unknown>, dialect: (typeof dialects)[number] = 'sqlite') =>
    Setting.open(dialect, store, model, options)

  describe.each(dialects)('with its ledger on %s', (dialect) => {
    it('tags, waits for the lifecycle, and erases the parents only when every file is gone', async () => {
      await using setting = await open({}, dialect)
      const { fixture, control } = setting
      const neighbour = await fixture.table('neighbour')
      const borrowed = neighbour.files.data.slice(0, 2)
      const table = await fixture.table('t', { borrowed })
      await fixture.own('t')
      const id = await fixture.drop('t')
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      // The job has tagged everything; the lifecycle does not act.
      expect(await setting.workAndRun(id)).toMatchObject({ state: 'handed_off' })
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      expect(await fixture.files()).toEqual(
        [...Object.values(table.files), ...Object.values(neighbour.files)].flat().toSorted(),
      )
      expect(await setting.expireAndRun(id)).toMatchObject({ state: 'succeeded' })
      expect(await fixture.files()).toEqual(Object.values(neighbour.files).flat().toSorted())
      expect(control.jobs.size).toBe(1)
      expect(await setting.written(id)).toEqual([])
      const { certificate } = (await fixture.ledger.certificate(id))!
      const { deleted = 0, kept = 0 } = certificate.counts.data ?? {}
      expect(kept).toBe(2)
      expect(deleted + kept).toBe(certificate.paths?.entries)
    })

    it('has a function delete, and looks for every file', async () => {
      await using setting = await open({ strategy: 'lambda' }, dialect)
      const { fixture } = setting
      const neighbour = await fixture.table('neighbour')
      await fixture.table('t', { snapshots: 3, filesPerSnapshot: 50 })
      await fixture.own('t')
      const id = await fixture.drop('t')
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
      expect(await fixture.files()).toEqual(Object.values(neighbour.files).flat().toSorted())
    })

    it('makes one job when it dies between CreateJob and the ledger', async () => {
      await using setting = await open({ strategy: 'lambda' }, dialect)
      const { fixture, control } = setting
      await fixture.table('t')
      const id = await fixture.drop('t')
      // As many as the SDK asks by itself.
      control.faults.lostAnswers = 5
      expect(await setting.run(id)).toMatchObject({ state: 'pending' })
      expect(control.asked.CreateJob).toBe(5)
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      expect(control.asked.CreateJob).toBe(6)
      expect(control.jobs.size).toBe(1)
      expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
    })
  })

  it.each(['as-given', 'plus'] as const)('names odd keys, told back %s, and erases them', async (encodes) => {
    await using setting = await open({ strategy: 'lambda' })
    const { fixture, control, io } = setting
    const location = fixture.location('t')
    const files = odd.map((name) => `${location}/data/${name}`)
    for (const file of files) await io.write(file, Buffer.from('x'))
    control.encodes = encodes
    control.faults.task = (key) =>
      key.endsWith(odd[0]!)
        ? { code: 'PermanentFailure', status: 200, message: 'InternalError: once' }
        : undefined
    const table = await fixture.table('t', { borrowed: files, snapshots: 1 })
    const id = await fixture.drop('t')
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    const plain = table.manifests.flatMap(({ entries }) => entries).filter((path) => !files.includes(path))
    const rows = (await setting.manifest(id)).split('\n')
    const expected = [
      ...plain.map((path) => path.slice(`s3://${setting.bucket}/`.length).replaceAll('=', '%3D')),
      ...encoded.map((name) => `main/t/data/${name}`),
    ].map((key) => `${setting.bucket},${key}`)
    expect(rows.pop()).toBe('')
    expect(rows.toSorted()).toEqual(expected.toSorted())
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'pending' })
    expect((await fixture.ledger.failures(id)).map(({ path }) => path)).toEqual([files[0]])
    control.faults.task = () => undefined
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(await setting.manifest(id)).toBe(`${setting.bucket},main/t/data/${encoded[0]}\n`)
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('names the tasks that failed, and makes a job of them alone', async () => {
    await using setting = await open({ strategy: 'lambda' })
    const { fixture, control, bucket } = setting
    const table = await fixture.table('t', { snapshots: 2, filesPerSnapshot: 30 })
    const stubborn = table.files.data.slice(3, 5)
    const keys = stubborn.map((path) => path.slice(`s3://${bucket}/`.length))
    const failure = {
      code: 'PermanentFailure',
      status: 200,
      message: 'InternalError: said "no", twice\nindeed',
    }
    control.faults.task = (key) => (keys.includes(key) ? failure : undefined)
    const id = await fixture.drop('t')
    await setting.run(id)
    const failed = await setting.workAndRun(id)
    expect(failed).toMatchObject({ state: 'pending' })
    expect(failed.message).toContain('2 tasks of S3 Batch Operations failed')
    expect(await fixture.ledger.failures(id)).toMatchObject(
      stubborn.toSorted().map((path) => ({
        path,
        stage: 'data',
        code: 'InternalError',
        message: failure.message,
      })),
    )
    expect(await fixture.files()).toContain(table.files.root[0])
    control.faults.task = () => undefined
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect((await setting.manifest(id)).split('\n').toSorted()).toEqual(
      ['', ...keys.map((key) => `${bucket},${key.replaceAll('=', '%3D')}`)].toSorted(),
    )
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
    expect(control.jobs.size).toBe(2)
    expect(await fixture.files()).toEqual([])
    expect(await fixture.ledger.failures(id)).toEqual([])
  })

  it('is blocked by what the store forbids, and goes on when an operator has it tried again', async () => {
    await using setting = await open()
    const { fixture, control } = setting
    const table = await fixture.table('t')
    control.faults.task = () => ({ code: 'AccessDenied', status: 403, message: 'no' })
    const id = await fixture.drop('t')
    await setting.run(id)
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'failed' })
    expect(await fixture.ledger.failures(id)).toHaveLength(table.files.data.length)
    expect((await fixture.ledger.failures(id)).every(({ outcome }) => outcome === 'blocked')).toBe(true)
    control.faults.task = () => undefined
    await fixture.ledger.retry(id)
    await expect
      .poll(async () => (await setting.workAndRun(id)).state, { timeout: 20_000 })
      .toBe('handed_off')
    await control.work()
    expect(await setting.expireAndRun(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('does not wait for the lifecycle for ever: says what is there, and asks again', async () => {
    await using setting = await open({ deadline: '2d' })
    const { fixture, control } = setting
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'handed_off' })
    setting.ahead = 2 * 86_400_000 + 60_000
    const late = await setting.run(id)
    expect(late).toMatchObject({ state: 'pending' })
    expect(late.message).toContain('has not erased what is tagged moulin-purge=expire, within 48 hours')
    expect(late.message).toContain(table.files.data[0])
    setting.ahead = 0
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(control.jobs.size).toBe(2)
    await control.work()
    expect(await setting.expireAndRun(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('believes no job: a file that is there after it is given to another', async () => {
    await using setting = await open({ strategy: 'lambda' })
    const { fixture, control, io } = setting
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    await control.work()
    await io.write(table.files.data[1]!, Buffer.from('again'))
    const doubted = await setting.run(id)
    expect(doubted).toMatchObject({ state: 'pending' })
    expect(doubted.message).toContain(table.files.data[1])
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('makes a new job of one that the service gave up', async () => {
    await using setting = await open({ strategy: 'lambda' })
    const { fixture, control } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    control.faults.failure = 'Reading the manifest is forbidden: 403 Forbidden'
    const failed = await setting.workAndRun(id)
    expect(failed).toMatchObject({ state: 'pending' })
    expect(failed.message).toContain('Reading the manifest is forbidden')
    control.faults.failure = undefined
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
    expect(control.jobs.size).toBe(2)
  })

  it('has its job cancelled when the purge is held, and another one made when it is released', async () => {
    await using setting = await open({ strategy: 'lambda' })
    const { fixture, control } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    const statuses = () => [...control.jobs.values()].map(({ status }) => status)
    expect(await fixture.ledger.hold(id, 'wait')).toBe('handed_off')
    expect(await setting.run(id)).toEqual({ state: 'held', message: 'wait' })
    expect(statuses()).toEqual(['Cancelled'])
    expect(await fixture.ledger.release(id)).toBe('pending')
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(statuses()).toHaveLength(2)
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
    expect(statuses()).toEqual(['Cancelled', 'Complete'])
  })

  it('has a job cancelled that is being asked for when the purge is held, though no answer came', async () => {
    await using setting = await open({ strategy: 'lambda' })
    const { fixture, control } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    control.faults.lostAnswers = 5
    expect(await setting.run(id)).toMatchObject({ state: 'pending' })
    expect(await fixture.ledger.hold(id, 'wait')).toBe('handed_off')
    expect(await setting.run(id)).toEqual({ state: 'held', message: 'wait' })
    expect([...control.jobs.values()].map(({ status }) => status)).toEqual(['Cancelled'])
    expect(await fixture.ledger.release(id)).toBe('pending')
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
  })

  it('can be told to stop twice, and when its job is over', async () => {
    await using setting = await open()
    const { fixture, control, purger } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    const lease = (await fixture.ledger.claim(id, 'test:1', 60_000))!
    for (let times = 0; times < 2; times++) {
      const run = testRun(setting.io)
      run.save(lease.checkpoint)
      await purger.cancel(lease.purge, lease.reference!, run)
    }
    expect([...control.jobs.values()].map(({ status }) => status)).toEqual(['Cancelled'])
  })

  it('takes a job that somebody else has cancelled for a failure', async () => {
    await using setting = await open({ strategy: 'lambda' })
    const { fixture, control } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    for (const job of control.jobs.values()) job.status = 'Cancelled'
    const end = await setting.run(id)
    expect(end).toMatchObject({ state: 'pending', message: expect.stringContaining('cancelled') })
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
  })

  it.each([
    [429, 'TooManyRequestsException', 'pending'],
    [500, 'InternalServiceException', 'pending'],
    [403, 'AccessDenied', 'failed'],
    [400, 'BadRequestException', 'failed'],
  ])('takes HTTP %i of S3 Control for what it is', async (status, code, state) => {
    await using setting = await open()
    const { fixture, control } = setting
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    control.faults.refusal = { status, code, message: 'the reason' }
    const end = await setting.run(id)
    expect(end).toMatchObject({ state })
    expect(end.message).toContain('the reason')
    expect(end.message).not.toContain(store.storage.secretAccessKey)
    expect(await fixture.files()).toEqual(Object.values(table.files).flat().toSorted())
    control.faults.refusal = undefined
    if (state === 'failed') await fixture.ledger.retry(id)
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
  })

  describe('the lifecycle rule', () => {
    const rules = async ({ bucket }: Setting) => {
      const command = new GetBucketLifecycleConfigurationCommand({ Bucket: bucket })
      return (await store.client.send(command)).Rules
    }
    const theirs = {
      ID: 'logs',
      Status: 'Enabled' as const,
      Filter: { Prefix: 'logs/' },
      Expiration: { Days: 30 },
    }
    const put = async ({ bucket }: Setting, ...Rules: (typeof theirs | object)[]) => {
      const LifecycleConfiguration = { Rules: Rules as (typeof theirs)[] }
      await store.client.send(
        new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration }),
      )
    }
    const ours = {
      ID: 'moulin-purge',
      Status: 'Enabled',
      Filter: { Tag: { Key: 'moulin-purge', Value: 'expire' } },
      Expiration: { Days: 1 },
    }

    it('has to be there, unless it may be installed: nothing is asked for, and nothing left behind', async () => {
      await using setting = await open({ installLifecycleRule: false })
      const { fixture, control } = setting
      await fixture.table('t')
      await put(setting, theirs)
      const id = await fixture.drop('t')
      const end = await setting.run(id)
      expect(end).toMatchObject({ state: 'failed' })
      expect(end.message).toContain('set installLifecycleRule: true')
      expect(control.jobs.size).toBe(0)
      expect(await setting.written(id)).toEqual([])
      const parts = await store.client.send(new ListMultipartUploadsCommand({ Bucket: 'manifests' }))
      expect(parts.Uploads ?? []).toEqual([])
      await put(setting, theirs, ours)
      await fixture.ledger.retry(id)
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    })

    it('is installed beside those of others, once', async () => {
      await using setting = await open()
      const { fixture } = setting
      await put(setting, theirs)
      for (const name of ['one', 'two']) {
        await fixture.table(name)
        expect(await setting.run(await fixture.drop(name))).toMatchObject({ state: 'handed_off' })
      }
      expect(await rules(setting)).toMatchObject([theirs, ours])
      expect(await rules(setting)).toHaveLength(2)
    })

    it.each([
      ['is disabled', { ...ours, Status: 'Disabled' }],
      [
        'expires nothing',
        { ...ours, Expiration: undefined, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } },
      ],
      ['is of a part of the bucket', { ...ours, Filter: { And: { Prefix: 'x/', Tags: [ours.Filter.Tag] } } }],
      ['is of another tag', { ...ours, Filter: { Tag: { Key: 'moulin-purge', Value: 'keep' } } }],
    ])('that has our name and %s is left as it is', async (_, rule) => {
      await using setting = await open()
      const { fixture, control } = setting
      await fixture.table('t')
      await put(setting, rule)
      const end = await setting.run(await fixture.drop('t'))
      expect(end).toMatchObject({ state: 'failed' })
      expect(end.message).toContain('named moulin-purge')
      expect(control.jobs.size).toBe(0)
    })
  })

  it('makes no job of what has no data files to be erased', async () => {
    await using setting = await open()
    const { fixture, control } = setting
    const kept = await fixture.table('kept', { properties: { 'gc.enabled': 'false' } })
    await fixture.table('empty', { snapshots: 0 })
    for (const name of ['kept', 'empty']) {
      expect(await setting.run(await fixture.drop(name))).toMatchObject({ state: 'succeeded' })
    }
    expect(await fixture.files()).toEqual(kept.files.data.toSorted())
    expect(control.jobs.size).toBe(0)
  })
})
