/**
 * S3 Control's jobs of Batch Operations, as far as a purge needs them: no server was found that creates them. Requests are
 * checked against the published model; the job is really done, on a real store, by the manifest that lies there; the report is
 * written as the service's documentation describes it.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { JobDescriptor } from '@aws-sdk/client-s3-control'
import { parse } from 'csv-parse/sync'
import { mapBounded } from '../../../../src/storage/concurrency.ts'
import { ModelViolation, type ServiceModel, textAt } from './service-model.ts'

/** The function of the example, with the client of the store in place of its own. */
interface Lambda {
  makeHandler(store: S3Client): (event: object) => Promise<{
    readonly results: readonly {
      readonly taskId: string
      readonly resultCode: string
      readonly resultString: string
    }[]
  }>
}

const tasksInFlight = 32

const example = new URL('../../../../examples/s3-batch-lambda/index.mjs', import.meta.url)

type Body = ReturnType<ServiceModel['check']>

interface Row {
  readonly bucket: string
  /** As the manifest has it. */
  readonly key: string
}

interface Failure extends Row {
  readonly code: string
  readonly status: number
  readonly message: string
}

/** As the service names them. */
export type JobStatus = NonNullable<JobDescriptor['Status']>

export interface StandInJob {
  readonly id: string
  readonly body: Body
  status: JobStatus
  failures: readonly Failure[]
  tasks: number
  reason: string
}

export interface Faults {
  /** What becomes of a task instead of its being done. */
  task(key: string): { readonly code: string; readonly status: number; readonly message: string } | undefined
  /** So many answers to CreateJob are lost after the job was made. */
  lostAnswers: number
  /** What every request is refused with. */
  refusal: { readonly status: number; readonly code: string; readonly message: string } | undefined
  /** Jobs end so instead of being done. */
  failure: string | undefined
  /** Awaited when CreateJob is called, before anything is done; {@link refused} makes what it may throw. */
  create(body: Body): Promise<void>
}

/** In which a job can be cancelled. */
const cancellable: readonly JobStatus[] = ['Suspended', 'Ready', 'Active', 'Pausing', 'Paused']

export class S3Control {
  readonly account = '123456789012'
  readonly jobs = new Map<string, StandInJob>()
  readonly faults: Faults = {
    task: () => undefined,
    lostAnswers: 0,
    refusal: undefined,
    failure: undefined,
    create: async () => undefined,
  }
  /** Requests, by operation. */
  readonly asked: Record<string, number> = {}
  /** Keys as the service tells them, to a function and in the report: as in the manifest, or with `+` for a space. */
  encodes: 'as-given' | 'plus' = 'as-given'
  /** So many tasks of a job have to be over before it is failed, because more than half of them have failed. */
  leastTasks = 1_000
  readonly #store: S3Client
  readonly #model: ServiceModel
  readonly #server: Server
  readonly #byToken = new Map<string, { readonly id: string; readonly request: string }>()

  static async start(store: S3Client, model: ServiceModel): Promise<S3Control> {
    const control = new S3Control(store, model)
    control.#server.listen(0, '127.0.0.1')
    await once(control.#server, 'listening')
    return control
  }

  private constructor(store: S3Client, model: ServiceModel) {
    this.#store = store
    this.#model = model
    this.#server = createServer((request, response) => void this.#handle(request, response))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** Does all jobs that are not over. */
  async work(): Promise<void> {
    for (const job of this.jobs.values()) if (job.status === 'Active') await this.#do(job)
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    try {
      const answer = await this.#answer(request, body)
      if (answer === undefined) request.socket.destroy()
      else response.writeHead(200, { 'content-type': 'application/xml' }).end(answer)
    } catch (error) {
      const { name, message, status = 400 } = error as Error & { status?: number }
      const xml = `<ErrorResponse><Error><Type>Sender</Type><Code>${name}</Code><Message>${escaped(message)}</Message></Error><RequestId>r</RequestId></ErrorResponse>`
      response.writeHead(status, { 'content-type': 'application/xml' }).end(xml)
    }
  }

  /** Undefined: the answer is lost. */
  async #answer({ method, url = '', headers }: IncomingMessage, body: string): Promise<string | undefined> {
    const { pathname, searchParams } = new URL(url, this.url)
    const [, version, jobs, id, action] = pathname.split('/')
    const operation =
      method === 'POST' && id === undefined
        ? 'CreateJob'
        : method === 'POST' && action === 'status'
          ? 'UpdateJobStatus'
          : 'DescribeJob'
    this.asked[operation] = (this.asked[operation] ?? 0) + 1
    if (version !== 'v20180820' || jobs !== 'jobs') throw refused(404, 'NotFound', url)
    if (!/Credential=[^/]+\/\d{8}\/[a-z0-9-]+\/s3\/aws4_request/.test(headers.authorization ?? ''))
      throw refused(403, 'AccessDenied', 'The request is not signed for S3.')
    const { refusal } = this.faults
    if (refusal) throw refused(refusal.status, refusal.code, refusal.message)
    const account = headers['x-amz-account-id'] as string | undefined
    if (account !== this.account) throw refused(403, 'AccessDenied', 'Another account.')
    const checked = this.#model.check(operation, body, {
      'x-amz-account-id': account,
      ...(id !== undefined && { id }),
      ...Object.fromEntries(searchParams),
    })
    if (operation === 'CreateJob') {
      await this.faults.create(checked)
      return this.#create(checked, body)
    }
    const job = this.jobs.get(id!)
    if (!job) throw refused(404, 'NotFoundException', `There is no job ${id}.`)
    return operation === 'DescribeJob' ? description(job) : this.#update(job, searchParams)
  }

  #create(body: Body, request: string): string | undefined {
    const token = textAt(body, 'ClientRequestToken')!
    const before = this.#byToken.get(token)
    if (before && before.request !== request)
      throw refused(400, 'IdempotencyException', 'The token was used for another request.')
    const id = before?.id ?? randomUUID()
    if (!before) {
      this.#byToken.set(token, { id, request })
      this.jobs.set(id, { id, body, status: 'Active', failures: [], tasks: 0, reason: '' })
    }
    if (this.faults.lostAnswers-- > 0) return undefined
    return document('CreateJobResult', `<JobId>${id}</JobId>`)
  }

  #update(job: StandInJob, query: URLSearchParams): string {
    if (!cancellable.includes(job.status))
      throw refused(400, 'JobStatusException', `The job is ${job.status}.`)
    job.status = query.get('requestedJobStatus') as JobStatus
    job.reason = query.get('statusUpdateReason') ?? ''
    return document('UpdateJobStatusResult', `<JobId>${job.id}</JobId><Status>${job.status}</Status>`)
  }

  async #do(job: StandInJob): Promise<void> {
    const rows = await this.#manifest(job)
    if (typeof rows === 'string' || this.faults.failure !== undefined) {
      job.status = 'Failed'
      job.reason = this.faults.failure ?? String(rows)
      return
    }
    const failures: Failure[] = []
    let tasks = 0
    const isGivenUp = () => tasks >= this.leastTasks && failures.length * 2 > tasks
    while (tasks < rows.length && !isGivenUp()) {
      const some = rows.slice(tasks, tasks + tasksInFlight)
      const done = await mapBounded(some, tasksInFlight, async (row): Promise<Failure[]> => {
        const failed = this.faults.task(decoded(row.key)) ?? (await this.#task(job, row))
        return failed ? [{ ...row, ...failed }] : []
      })
      tasks += some.length
      failures.push(...done.flat())
    }
    job.tasks = tasks
    job.failures = failures
    await this.#report(job)
    if (isGivenUp()) job.reason = `${failures.length} of ${tasks} tasks have failed`
    job.status = isGivenUp() ? 'Failed' : 'Complete'
  }

  /** What the service finds before it begins, or why it does not. */
  async #manifest({ body }: StandInJob): Promise<Row[] | string> {
    const location = { Bucket: '', Key: '' }
    const arn = textAt(body, 'Manifest', 'Location', 'ObjectArn')!
    ;[, location.Bucket, location.Key] = /^arn:aws:s3:::([^/]+)\/(.+)$/.exec(arn) as unknown as [
      string,
      string,
      string,
    ]
    const { ETag } = await this.#store.send(new HeadObjectCommand(location))
    const etag = textAt(body, 'Manifest', 'Location', 'ETag')
    if (ETag !== `"${etag}"`) return `ETag of the manifest is ${ETag}, not ${etag}`
    const { Body } = await this.#store.send(new GetObjectCommand(location))
    const rows = parse(await Body!.transformToString()) as string[][]
    const buckets = new Set(rows.map(([bucket]) => bucket))
    if (buckets.size !== 1) return `The manifest names ${buckets.size} buckets`
    return rows.map(([bucket, key]) => ({ bucket: bucket!, key: key! }))
  }

  async #task({ body }: StandInJob, { bucket, key }: Row): Promise<Omit<Failure, keyof Row> | undefined> {
    if (textAt(body, 'Operation', 'LambdaInvoke', 'FunctionArn') !== undefined)
      return await this.#invoke(bucket, key)
    const [Key, Value] = ['Key', 'Value'].map((name) =>
      textAt(body, 'Operation', 'S3PutObjectTagging', 'TagSet', 'member', name),
    )
    try {
      const Tagging = { TagSet: [{ Key: Key!, Value: Value! }] }
      await this.#store.send(new PutObjectTaggingCommand({ Bucket: bucket, Key: decoded(key), Tagging }))
      return undefined
    } catch (error) {
      const { name, message, $metadata } = error as Error & { $metadata: { httpStatusCode: number } }
      return { code: name, status: $metadata.httpStatusCode, message }
    }
  }

  async #invoke(s3Bucket: string, s3Key: string): Promise<Omit<Failure, keyof Row> | undefined> {
    const task = { taskId: randomUUID(), s3Key: this.#told(s3Key), s3VersionId: null, s3Bucket }
    const event = { invocationSchemaVersion: '2.0', invocationId: randomUUID(), tasks: [task] }
    const { makeHandler } = (await import(example.href)) as Lambda
    const { results } = await makeHandler(this.#store)(event)
    const { resultCode, resultString } = results.find(({ taskId }) => taskId === task.taskId)!
    if (resultCode === 'Succeeded') return undefined
    return { code: resultCode, status: 200, message: resultString }
  }

  #told(key: string): string {
    return this.encodes === 'plus' ? key.replaceAll('%20', '+') : key
  }

  /** Of failures only, as it was asked for: then one that has none names no list. */
  async #report({ id, body, failures }: StandInJob): Promise<void> {
    const bucket = textAt(body, 'Report', 'Bucket')!.replace('arn:aws:s3:::', '')
    const folder = `${textAt(body, 'Report', 'Prefix')}/job-${id}`
    const list = `${folder}/results/${randomUUID()}.csv`
    const rows = failures.map((failure) =>
      [
        failure.bucket,
        this.#told(failure.key),
        '',
        'failed',
        // Whatever the schema says: so do the rows of the service's own examples.
        failure.status,
        failure.code,
        quoted(failure.message),
      ].join(','),
    )
    const index = {
      Format: 'Report_CSV_20180820',
      ReportCreationDate: new Date().toISOString(),
      Results:
        rows.length === 0
          ? []
          : [{ TaskExecutionStatus: 'failed', Bucket: bucket, MD5Checksum: '', Key: list }],
      ReportSchema: 'Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage',
    }
    const put = (Key: string, Body: string) =>
      this.#store.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
    if (rows.length > 0) await put(list, `${rows.join('\n')}\n`)
    await put(`${folder}/manifest.json`, JSON.stringify(index))
  }
}

/** As the service decodes a manifest's keys: a form's encoding, in which `+` is a space. */
function decoded(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '))
}

function description({ id, status, tasks, failures, reason }: StandInJob): string {
  const progress = `<TotalNumberOfTasks>${tasks}</TotalNumberOfTasks><NumberOfTasksSucceeded>${tasks - failures.length}</NumberOfTasksSucceeded><NumberOfTasksFailed>${failures.length}</NumberOfTasksFailed>`
  const failed = `<FailureReasons><member><FailureCode>JobFailed</FailureCode><FailureReason>${escaped(reason)}</FailureReason></member></FailureReasons>`
  return document(
    'DescribeJobResult',
    `<Job><JobId>${id}</JobId><Status>${status}</Status><ProgressSummary>${progress}</ProgressSummary>${
      status === 'Failed' ? failed : `<StatusUpdateReason>${escaped(reason)}</StatusUpdateReason>`
    }</Job>`,
  )
}

function document(name: string, content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><${name} xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/">${content}</${name}>`
}

export function refused(status: number, name: string, message: string): Error {
  return Object.assign(new ModelViolation(message), { name, status })
}

function quoted(field: string): string {
  return `"${field.replaceAll('"', '""')}"`
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
