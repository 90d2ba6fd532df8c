/** Jobs of S3 Batch Operations, by way of S3 Control. */
import { isIP } from 'node:net'
import type {
  CreateJobCommandInput,
  JobDescriptor,
  S3ControlClient,
  S3ControlClientConfig,
} from '@aws-sdk/client-s3-control'
import { objectOf } from '../../../storage/s3/object.ts'
import {
  BlockedPurgeError,
  PermanentPurgeError,
  type Purge,
  RetryablePurgeError,
  ThrottledPurgeError,
} from '../../purger.ts'
import type { Manifest } from './manifest.ts'
import type { LambdaStrategy, S3BatchOptions, TagStrategy } from './options.ts'

/** Everything that CreateJob is told, but the account: JSON, so that a checkpoint holds it. */
export type JobRequest = Omit<CreateJobCommandInput, 'AccountId'>

/** `ending`: no other task is begun, but it is not over yet. `unknown`: the service has no such job. */
export type JobState = 'running' | 'ending' | 'complete' | 'failed' | 'cancelled' | 'unknown'

export interface Job {
  readonly id: string
  readonly state: JobState
  /** As the service says; empty when it does not know the job. */
  readonly status: JobDescriptor['Status'] | ''
  readonly succeeded: number
  readonly failed: number
  /** Why it failed or was cancelled, as the service says; empty when it does not. */
  readonly reason: string
}

/** The request for the objects of a manifest. The completion report, of failures only, is written below `folder`. */
export function jobRequest(
  purge: Purge,
  manifest: Manifest,
  folder: string,
  token: string,
  options: S3BatchOptions,
): JobRequest {
  const { roleArn, priority, strategy } = options
  const report = objectArn(folder, roleArn)
  return {
    ClientRequestToken: token,
    ConfirmationRequired: false,
    Description: `Moulin: purge ${purge.id} in ${manifest.bucket}`,
    Operation: operation(purge, strategy),
    Manifest: {
      Spec: { Format: 'S3BatchOperations_CSV_20180820', Fields: ['Bucket', 'Key'] },
      Location: { ObjectArn: objectArn(manifest.location, roleArn).arn, ETag: manifest.etag },
    },
    Report: {
      Enabled: true,
      Bucket: report.bucketArn,
      Prefix: `${report.key}/reports`,
      Format: 'Report_CSV_20180820',
      ReportScope: 'FailedTasksOnly',
    },
    Priority: priority,
    RoleArn: roleArn,
  }
}

function operation(purge: Purge, strategy: TagStrategy | LambdaStrategy): JobRequest['Operation'] {
  if (strategy.kind === 'tag') {
    return { S3PutObjectTagging: { TagSet: [{ Key: strategy.tag.key, Value: strategy.tag.value }] } }
  }
  return {
    LambdaInvoke: {
      FunctionArn: strategy.functionArn,
      InvocationSchemaVersion: '2.0',
      UserArguments: { purge: purge.id },
    },
  }
}

/** In the partition of the role: `aws`, `aws-cn`, `aws-us-gov`. */
function objectArn(location: string, roleArn: string): { arn: string; bucketArn: string; key: string } {
  const { bucket, key } = objectOf(location)
  const bucketArn = `arn:${roleArn.split(':')[1]}:s3:::${bucket}`
  return { arn: `${bucketArn}/${key}`, bucketArn, key }
}

const states: Readonly<Record<NonNullable<JobDescriptor['Status']>, JobState>> = {
  New: 'running',
  Preparing: 'running',
  Suspended: 'running',
  Ready: 'running',
  Active: 'running',
  Pausing: 'running',
  Paused: 'running',
  Completing: 'ending',
  Cancelling: 'ending',
  Failing: 'ending',
  Complete: 'complete',
  Cancelled: 'cancelled',
  Failed: 'failed',
}

interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** The account's jobs. */
export class Jobs {
  readonly #options: S3BatchOptions
  #connection: Promise<S3ControlClient> | undefined

  constructor(options: S3BatchOptions) {
    this.#options = options
  }

  /**
   * Asks for a job and gives its id: of the one that there is, when there is one of the same token. Throws
   * PermanentPurgeError when the service does not accept the request, BlockedPurgeError when it is not allowed,
   * RetryablePurgeError for everything else.
   */
  async create(request: JobRequest, signal: AbortSignal): Promise<string> {
    const { CreateJobCommand } = await import('@aws-sdk/client-s3-control')
    const command = new CreateJobCommand({ AccountId: this.#options.accountId, ...request })
    const { JobId } = await this.#ask('CreateJob', signal, (client) =>
      client.send(command, { abortSignal: signal }),
    )
    if (JobId === undefined) throw new RetryablePurgeError('S3 Control answered CreateJob without a job id.')
    return JobId
  }

  /** A job that the service does not know is no error. Throws as `create` does. */
  async describe(id: string, signal: AbortSignal): Promise<Job> {
    const { DescribeJobCommand } = await import('@aws-sdk/client-s3-control')
    const command = new DescribeJobCommand({ AccountId: this.#options.accountId, JobId: id })
    const answer = await this.#ask('DescribeJob', signal, (client) =>
      unlessUnknown(client.send(command, { abortSignal: signal })),
    )
    if (!answer) return { id, state: 'unknown', status: '', succeeded: 0, failed: 0, reason: noSuchJob }
    const { Status, ProgressSummary, FailureReasons = [], StatusUpdateReason = '' } = answer.Job ?? {}
    const state = Status === undefined ? undefined : states[Status]
    if (state === undefined) {
      throw new RetryablePurgeError(`S3 Control says that job ${id} is ${Status ?? 'nothing'}.`)
    }
    const reasons = FailureReasons.map(({ FailureCode, FailureReason }) => `${FailureCode}: ${FailureReason}`)
    return {
      id,
      state,
      status: Status,
      succeeded: ProgressSummary?.NumberOfTasksSucceeded ?? 0,
      failed: ProgressSummary?.NumberOfTasksFailed ?? 0,
      reason: [...reasons, StatusUpdateReason].filter((reason) => reason !== '').join('; '),
    }
  }

  /**
   * Does nothing for a job that is over, or that the service does not know. Throws RetryablePurgeError for one that it would
   * not cancel and that still runs, and as `create` does.
   */
  async cancel(id: string, signal: AbortSignal): Promise<void> {
    const { UpdateJobStatusCommand, JobStatusException } = await import('@aws-sdk/client-s3-control')
    const command = new UpdateJobStatusCommand({
      AccountId: this.#options.accountId,
      JobId: id,
      RequestedJobStatus: 'Cancelled',
      StatusUpdateReason: 'The purge was stopped.',
    })
    const refusal = await this.#ask('UpdateJobStatus', signal, async (client) => {
      try {
        await unlessUnknown(client.send(command, { abortSignal: signal }))
        return undefined
      } catch (error) {
        if (!(error instanceof JobStatusException)) throw error
        return error
      }
    })
    if (!refusal) return
    const { state, status } = await this.describe(id, signal)
    if (state === 'running') {
      const text = `S3 Control did not cancel job ${id}, which is ${status}: ${refusal.message}`
      throw new RetryablePurgeError(text, { cause: refusal })
    }
  }

  async close(): Promise<void> {
    const client = await this.#connection
    client?.destroy()
  }

  async #ask<T>(call: string, signal: AbortSignal, ask: (client: S3ControlClient) => Promise<T>): Promise<T> {
    this.#connection ??= connect(this.#options)
    const client = await this.#connection
    try {
      return await ask(client)
    } catch (error) {
      signal.throwIfAborted()
      throw purgeError(call, error)
    }
  }
}

const noSuchJob = 'The service does not know it (any more).'

/** Undefined when the service does not know the job. The model of S3 Control states no HTTP status of that error. */
async function unlessUnknown<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    const { name, $metadata } = error as ServiceError
    if ($metadata?.httpStatusCode === 404 || /^(?:NotFound|NoSuchJob)(?:Exception)?$/.test(name))
      return undefined
    throw error
  }
}

function purgeError(call: string, error: unknown): Error {
  const { name, message, $metadata } = error as ServiceError
  const status = $metadata?.httpStatusCode
  const text = `S3 Control refused ${call}: ${name}: ${message}`
  if (name === 'TooManyRequestsException' || status === 429 || status === 503) {
    return new ThrottledPurgeError(text, { cause: error })
  }
  if (status === 403) return new BlockedPurgeError(text, { cause: error })
  if (status === 400) return new PermanentPurgeError(text, { cause: error })
  return new RetryablePurgeError(`S3 Control did not do ${call}: ${name}: ${message}`, { cause: error })
}

async function connect({ region, controlEndpoint, storage }: S3BatchOptions): Promise<S3ControlClient> {
  const { S3ControlClient } = await import('@aws-sdk/client-s3-control')
  const { accessKeyId, secretAccessKey, sessionToken } = storage
  return new S3ControlClient({
    region,
    maxAttempts: 5,
    ...(controlEndpoint && endpointOf(controlEndpoint, region)),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  })
}

/** The SDK puts the account before the host, which does not go for an address. */
function endpointOf(url: URL, region: string): Partial<S3ControlClientConfig> {
  if (isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0) return { endpoint: url.href }
  const scheme = { name: 'sigv4', signingName: 's3', signingRegion: region, properties: {} }
  return {
    disableHostPrefix: true,
    endpointProvider: () => ({ url, headers: {}, properties: { authSchemes: [scheme] } }),
  }
}
