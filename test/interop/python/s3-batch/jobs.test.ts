import { randomUUID } from 'node:crypto'
import { PutBucketLifecycleConfigurationCommand, PutObjectTaggingCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PlannedJob } from '../../../../src/purge/purgers/s3-batch/plan.ts'
import { type SeaweedFS, startSeaweedFS } from '../../../../src/testing/stores/seaweedfs.ts'
import { toolchain } from '../../toolchain.ts'
import { expireTagged } from './lifecycle.ts'
import { type JobStatus, refused } from './s3-control.ts'
import { ServiceModel, textAt } from './service-model.ts'
import { Setting } from './setting.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'python')
const role = (name: string) => `arn:aws:iam::123456789012:role/${name}`

describe.skipIf(python === undefined)('jobs of S3 Batch Operations', () => {
  let store: SeaweedFS
  let model: ServiceModel
  beforeAll(async () => {
    store = await startSeaweedFS(python!)
    await store.createBucket('manifests')
    model = new ServiceModel(python!)
  })
  afterAll(() => store?.close())

  const open = (options?: Record<string, unknown>) => Setting.open('sqlite', store, model, options)
  const statuses = ({ control }: Setting) => [...control.jobs.values()].map(({ status }) => status)
  const roles = ({ control }: Setting) =>
    [...control.jobs.values()].map(({ body }) => textAt(body, 'RoleArn'))
  const keysOf = ({ bucket }: Setting, paths: readonly string[]) =>
    paths.map((path) => path.slice(`s3://${bucket}/`.length))
  /** The keys of the latest manifest. */
  const asked = async (setting: Setting, id: string) =>
    (await setting.manifest(id))
      .split('\n')
      .filter((row) => row !== '')
      .map((row) => decodeURIComponent(row.split(',')[1]!))
      .toSorted()
  /** Has every request of this role refused. */
  const refuse = ({ control }: Setting, roleArn: string, status: number, code: string) => {
    control.faults.create = async (body) => {
      if (textAt(body, 'RoleArn') === roleArn) throw refused(status, code, 'Not with this role.')
    }
  }

  it('are in the ledger with their tokens before they are asked for', async () => {
    await using setting = await open()
    const { fixture, control } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    const seen: PlannedJob[] = []
    control.faults.create = async () => {
      const { checkpoint } = await fixture.database.reader
        .selectFrom('purges')
        .select('checkpoint')
        .where('id', '=', id)
        .executeTakeFirstOrThrow()
      seen.push(...(JSON.parse(checkpoint!) as { s3Batch: { jobs: PlannedJob[] } }).s3Batch.jobs)
    }
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    const [{ body } = expect.fail()] = control.jobs.values()
    expect(seen).toMatchObject([
      {
        request: {
          ClientRequestToken: textAt(body, 'ClientRequestToken'),
          Manifest: { Location: { ETag: textAt(body, 'Manifest', 'Location', 'ETag') } },
        },
      },
    ])
    expect(seen[0]).not.toHaveProperty('id')
  })

  it.each<JobStatus>([
    'New',
    'Preparing',
    'Suspended',
    'Ready',
    'Pausing',
    'Paused',
    'Completing',
    'Failing',
    'Cancelling',
  ])('that are %s are waited for', async (status) => {
    await using setting = await open({ strategy: 'lambda' })
    const { fixture, control } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    const [job] = control.jobs.values()
    job!.status = status
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    job!.status = 'Active'
    expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
    expect(control.jobs.size).toBe(1)
  })

  describe('that are refused', () => {
    it.each([
      [400, 'BadRequestException'],
      [403, 'AccessDenied'],
    ])('with %i are asked for anew, by the options of then', async (status, code) => {
      await using setting = await open({ roleArn: role('wrong') })
      const { fixture } = setting
      refuse(setting, role('wrong'), status, code)
      await fixture.table('t')
      const id = await fixture.drop('t')
      expect(await setting.run(id)).toMatchObject({ state: 'failed' })
      await setting.configure({ roleArn: role('right') })
      await fixture.ledger.retry(id)
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      expect(roles(setting)).toEqual([role('right')])
      await setting.control.work()
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      expect(await setting.expireAndRun(id)).toMatchObject({ state: 'succeeded' })
    })

    it('have those of other buckets cancelled', async () => {
      await using setting = await open({ strategy: 'lambda' })
      const { fixture, control, io } = setting
      const other = `lake-${randomUUID()}`
      await store.createBucket(other)
      const file = `s3://${other}/t/1.parquet`
      await io.write(file, Buffer.from('x'))
      await fixture.table('t', { borrowed: [file] })
      await fixture.place('t', `s3://${other}/t`)
      let isAllowed = false
      control.faults.create = async () => {
        if (!isAllowed && control.jobs.size === 1) throw refused(400, 'BadRequestException', 'Not two.')
      }
      const id = await fixture.drop('t')
      expect(await setting.run(id)).toMatchObject({ state: 'failed' })
      expect(statuses(setting)).toEqual(['Cancelled'])
      isAllowed = true
      await fixture.ledger.retry(id)
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      expect(statuses(setting)).toEqual(['Cancelled', 'Active', 'Active'])
      expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
      expect(await fixture.files()).toEqual([])
      expect(await io.stat(file)).toBeUndefined()
    })

    it.each([true, false])(
      'after an answer was lost are cancelled, if the service tells which they are (%s)',
      async (tells) => {
        await using setting = await open({ strategy: 'lambda', roleArn: role('revoked') })
        const { fixture, control } = setting
        await fixture.table('t')
        const id = await fixture.drop('t')
        control.faults.lostAnswers = 5
        expect(await setting.run(id)).toMatchObject({ state: 'pending' })
        refuse(setting, role('revoked'), 403, 'AccessDenied')
        expect(await setting.run(id)).toMatchObject({ state: 'failed' })
        expect(statuses(setting)).toEqual(['Active'])
        if (tells) refuse(setting, '', 403, 'AccessDenied')
        await setting.configure({ roleArn: role('right') })
        await fixture.ledger.retry(id)
        expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
        expect(roles(setting)).toEqual([role('revoked'), role('right')])
        expect(statuses(setting)).toEqual([tells ? 'Cancelled' : 'Active', 'Active'])
        expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
      },
    )
  })

  it('that were refused again are cancelled when the service tells which they are', async () => {
    await using setting = await open({ roleArn: role('revoked') })
    const { fixture, control } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    control.faults.lostAnswers = 5
    expect(await setting.run(id)).toMatchObject({ state: 'pending' })
    refuse(setting, role('revoked'), 403, 'AccessDenied')
    expect(await setting.run(id)).toMatchObject({ state: 'failed' })
    await fixture.ledger.retry(id)
    expect(await setting.run(id)).toMatchObject({ state: 'failed' })
    expect(statuses(setting)).toEqual(['Active'])
    refuse(setting, '', 403, 'AccessDenied')
    await fixture.ledger.retry(id)
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(statuses(setting)).toEqual(['Cancelled', 'Active'])
  })

  describe('of which most tasks fail', () => {
    it.each(['tag', 'lambda'])('have others after them, for what is there still: %s', async (strategy) => {
      await using setting = await open({ strategy })
      const { fixture, control, io } = setting
      const { files } = await fixture.table('t', { snapshots: 2, filesPerSnapshot: 50 })
      const id = await fixture.drop('t')
      const gone = files.data.filter((_, index) => index % 4 !== 0)
      await io.deleteFiles(gone)
      if (strategy === 'lambda') {
        const missing = new Set(keysOf(setting, gone))
        control.faults.task = (key) =>
          missing.has(key) ? { code: 'PermanentFailure', status: 200, message: 'NoSuchKey: no' } : undefined
      }
      control.leastTasks = 40
      await setting.run(id)
      const failed = await setting.workAndRun(id)
      expect(failed).toMatchObject({ state: 'pending' })
      expect(failed.message).toMatch(/job \S+ of S3 Batch Operations failed: .* of 64 tasks have failed$/)
      expect(await fixture.ledger.failures(id)).toEqual([])
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      const left = new Set((await fixture.files()).filter((file) => files.data.includes(file)))
      expect(await asked(setting, id)).toEqual(keysOf(setting, [...left]).toSorted())
      await control.work()
      if (strategy === 'tag') {
        expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
        await expireTagged(store.client, setting.bucket)
      }
      expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
      expect(await fixture.files()).toEqual([])
    })

    it('name what failed, and have all of it tried again', async () => {
      await using setting = await open({ strategy: 'lambda' })
      const { fixture, control } = setting
      const { files } = await fixture.table('t', { snapshots: 2, filesPerSnapshot: 50 })
      const id = await fixture.drop('t')
      control.leastTasks = 40
      control.faults.task = () => ({ code: 'PermanentFailure', status: 200, message: 'InternalError: no' })
      await setting.run(id)
      const failed = await setting.workAndRun(id)
      expect(failed).toMatchObject({ state: 'pending' })
      expect(failed.message).toContain('64 tasks of S3 Batch Operations failed, among them')
      expect(await fixture.ledger.failures(id)).toHaveLength(64)
      control.faults.task = () => undefined
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      expect(await asked(setting, id)).toEqual(keysOf(setting, files.data).toSorted())
      expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
      expect(await fixture.ledger.failures(id)).toEqual([])
    })

    it('are blocked when the store forbids all of these', async () => {
      await using setting = await open()
      const { fixture, control } = setting
      await fixture.table('t', { snapshots: 1, filesPerSnapshot: 50 })
      const id = await fixture.drop('t')
      control.leastTasks = 10
      control.faults.task = () => ({ code: 'AccessDenied', status: 403, message: 'no' })
      await setting.run(id)
      const failed = await setting.workAndRun(id)
      expect(failed).toMatchObject({ state: 'failed' })
      expect(failed.message).toContain('AccessDenied')
      expect((await fixture.ledger.failures(id)).map(({ outcome }) => outcome)).toEqual(
        Array.from({ length: 32 }, () => 'blocked'),
      )
    })

    it('need none after them when nothing is left', async () => {
      await using setting = await open()
      const { fixture, control, io } = setting
      const { files } = await fixture.table('t', { snapshots: 1, filesPerSnapshot: 50 })
      const id = await fixture.drop('t')
      await io.deleteFiles(files.data)
      control.leastTasks = 10
      await setting.run(id)
      expect(await setting.workAndRun(id)).toMatchObject({ state: 'pending' })
      expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
      expect(control.jobs.size).toBe(1)
      expect(await setting.written(id)).toEqual([])
    })
  })

  describe('that the service does not know', () => {
    it('are given up when they stay unknown for a while', async () => {
      await using setting = await open({ strategy: 'lambda' })
      const { fixture, control } = setting
      await fixture.table('t')
      const id = await fixture.drop('t')
      await setting.run(id)
      const before = [...control.jobs]
      control.jobs.clear()
      for (let times = 0; times < 4; times++) {
        expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      }
      setting.ahead = 6 * 60_000
      // Seen again: what was before does not count.
      for (const [key, job] of before) control.jobs.set(key, job)
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      control.jobs.clear()
      for (let times = 0; times < 2; times++) {
        expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
        setting.ahead += 3 * 60_000
      }
      const lost = await setting.run(id)
      expect(lost).toMatchObject({ state: 'pending', message: expect.stringContaining('does not know it') })
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      expect(await setting.workAndRun(id)).toMatchObject({ state: 'succeeded' })
      expect(control.jobs.size).toBe(1)
    })

    it('need not be cancelled', async () => {
      await using setting = await open()
      const { fixture, control } = setting
      await fixture.table('t')
      const id = await fixture.drop('t')
      await setting.run(id)
      control.jobs.clear()
      await fixture.ledger.hold(id, 'wait')
      expect(await setting.run(id)).toEqual({ state: 'held', message: 'wait' })
    })
  })

  it('that cannot be cancelled yet have it asked again', async () => {
    await using setting = await open()
    const { fixture, control } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    const [job] = control.jobs.values()
    job!.status = 'Preparing'
    await fixture.ledger.hold(id, 'wait')
    const end = await setting.run(id)
    expect(end.state).not.toBe('held')
    expect(end.message).toContain('which is Preparing')
    job!.status = 'Active'
    await expect.poll(async () => (await setting.run(id)).state, { timeout: 20_000 }).toBe('held')
    expect(job!.status).toBe('Cancelled')
  })

  it.each<JobStatus>(['Cancelling', 'Completing', 'Complete', 'Failed'])(
    'that are %s need not be cancelled',
    async (status) => {
      await using setting = await open()
      const { fixture, control } = setting
      await fixture.table('t')
      const id = await fixture.drop('t')
      await setting.run(id)
      for (const job of control.jobs.values()) job.status = status
      await fixture.ledger.hold(id, 'wait')
      expect(await setting.run(id)).toEqual({ state: 'held', message: 'wait' })
    },
  )

  it('tag what the lifecycle helper of these tests expires, and that alone', async () => {
    const bucket = `lake-${randomUUID()}`
    await store.createBucket(bucket)
    await using setting = await open()
    const { io } = setting
    const both = [
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: '2' },
    ]
    const And = { Prefix: 'x/', Tags: both }
    const Rules = [{ ID: 'and', Status: 'Enabled' as const, Filter: { And }, Expiration: { Days: 1 } }]
    await store.client.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: { Rules } }),
    )
    for (const [Key, TagSet] of [
      ['x/both', both],
      ['x/one', both.slice(1)],
      ['y/both', both],
    ] as const) {
      await io.write(`s3://${bucket}/${Key}`, Buffer.from('x'))
      await store.client.send(
        new PutObjectTaggingCommand({ Bucket: bucket, Key, Tagging: { TagSet: [...TagSet] } }),
      )
    }
    await expireTagged(store.client, bucket)
    const left = await Array.fromAsync(io.list(`s3://${bucket}`))
    expect(left.map(({ location }) => location)).toEqual([`s3://${bucket}/x/one`, `s3://${bucket}/y/both`])
  })
})
