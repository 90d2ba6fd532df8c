import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import type { Dialect } from '../../../../src/database/database.ts'
import type { PurgeRecord } from '../../../../src/purge/ledger/record.ts'
import { s3BatchOptions } from '../../../../src/purge/purgers/s3-batch/options.ts'
import { S3BatchPurger } from '../../../../src/purge/purgers/s3-batch/s3-batch-purger.ts'
import type { PurgeEnd } from '../../../../src/purge/run-attempt.ts'
import { S3FileIO } from '../../../../src/storage/s3/s3-file-io.ts'
import { PurgeFixture } from '../../../../src/testing/purge-fixture.ts'
import type { SeaweedFS } from '../../../../src/testing/stores/seaweedfs.ts'
import { expireTagged } from './lifecycle.ts'
import { S3Control } from './s3-control.ts'
import type { ServiceModel } from './service-model.ts'

/** A purger's options, as the configuration has them. */
export function optionsFor(
  store: SeaweedFS,
  control: S3Control,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const { endpoint, accessKeyId, secretAccessKey, pathStyleAccess } = store.storage
  return {
    accountId: control.account,
    roleArn: `arn:aws:iam::${control.account}:role/moulin-batch`,
    region: 'eu-west-1',
    controlEndpoint: control.url,
    storage: { endpoint, accessKeyId, secretAccessKey, pathStyleAccess },
    manifestLocation: 's3://manifests/moulin',
    ...(more.strategy === 'lambda'
      ? { functionArn: `arn:aws:lambda:eu-west-1:${control.account}:function:moulin-delete` }
      : { strategy: 'tag', installLifecycleRule: true }),
    ...more,
  }
}

/** A ledger, a table's bucket, S3 Control, and a purger between them. */
export class Setting implements AsyncDisposable {
  readonly fixture: PurgeFixture
  readonly control: S3Control
  readonly store: SeaweedFS
  readonly bucket: string
  readonly io: S3FileIO
  #options: Readonly<Record<string, unknown>>
  /** Milliseconds by which the purger's clock is ahead. */
  ahead = 0
  #purger: S3BatchPurger | undefined

  static async open(
    dialect: Dialect,
    store: SeaweedFS,
    model: ServiceModel,
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<Setting> {
    const bucket = `lake-${randomUUID()}`
    await store.createBucket(bucket)
    const io = new S3FileIO(store.storage)
    const fixture = await PurgeFixture.open(dialect, { io, location: `s3://${bucket}` })
    return new Setting(fixture, await S3Control.start(store.client, model), store, bucket, io, options)
  }

  private constructor(
    fixture: PurgeFixture,
    control: S3Control,
    store: SeaweedFS,
    bucket: string,
    io: S3FileIO,
    options: Readonly<Record<string, unknown>>,
  ) {
    this.fixture = fixture
    this.control = control
    this.store = store
    this.bucket = bucket
    this.io = io
    this.#options = options
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#purger?.close()
    await this.control.close()
    await this.fixture[Symbol.asyncDispose]()
    await this.io.close()
  }

  get purger(): S3BatchPurger {
    this.#purger ??= new S3BatchPurger(
      s3BatchOptions(optionsFor(this.store, this.control, this.#options)),
      () => Date.now() + this.ahead,
    )
    return this.#purger
  }

  /** Restarts the purger with these options beside those that it has. */
  async configure(options: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#purger?.close()
    this.#purger = undefined
    this.#options = { ...this.#options, ...options }
  }

  /** One attempt, at once, whatever the purge waits for. */
  async run(id: string): Promise<PurgeEnd> {
    return await this.fixture.run(id, { purger: this.purger, backoff: { base: 1, max: 1 } })
  }

  /** Has the jobs done, then asks. */
  async workAndRun(id: string): Promise<PurgeEnd> {
    await this.control.work()
    return await this.run(id)
  }

  /** Has the lifecycle act, then asks. */
  async expireAndRun(id: string): Promise<PurgeEnd> {
    await expireTagged(this.store.client, this.bucket)
    return await this.run(id)
  }

  async record(id: string): Promise<PurgeRecord> {
    return (await this.fixture.ledger.get(id))!
  }

  /** Of this purge: the latest first. */
  async manifest(id: string): Promise<string> {
    const folder = `s3://manifests/moulin/${id}`
    const files = await Array.fromAsync(this.io.list(folder))
    const manifests = files
      .map(({ location }) => location)
      .filter((file) => file.endsWith(`${this.bucket}.csv`))
    return String(await this.io.read(manifests.toSorted().at(-1)!))
  }

  /** What lies about the purge beside the table. */
  async written(id: string): Promise<string[]> {
    const files = await Array.fromAsync(this.io.list(`s3://manifests/moulin/${id}`))
    return files.map(({ location }) => location)
  }
}

export const silent = pino({ level: 'silent' })
