/** A service as an operator would have one, over real HTTP: it checks signatures, erases through a FileIO, and can misbehave. */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { doomedData } from '../../../src/purge/elsewhere/erased-elsewhere.ts'
import type { Purge } from '../../../src/purge/purger.ts'
import type { FileIO } from '../../../src/storage/file-io.ts'
import { testRun } from '../../../src/testing/purge-run.ts'

/** 32 bytes, all the same; the second is of another service. */
export const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
export const otherSecret = `whsec_${Buffer.alloc(32, 8).toString('base64')}`

/** The members that the service looks at. */
export interface PurgeDocument {
  readonly version: number
  readonly event: string
  readonly id: string
  readonly generation: number
  readonly uuid?: string
  readonly metadataLocation: string
  readonly files: number
  readonly locations: readonly string[]
  readonly keep: readonly string[]
  readonly callbackUrl?: string
  readonly reference?: string
}

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Job {
  readonly reference: string
  readonly document: PurgeDocument
  status: Record<string, unknown>
  /** Resolves when the service has done what it could. */
  work: Promise<void>
}

/** Answers in place of the service; true when it has. */
export type Fault = (request: Received, response: ServerResponse) => boolean

/** Signs as the specification says, written anew: not the code under test. */
export function signed(key: string, id: string, body: string, seconds = Math.floor(Date.now() / 1_000)) {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${hmac(key, `${id}.${seconds}.${body}`)}`,
  }
}

function hmac(key: string, content: string): string {
  return createHmac('sha256', Buffer.from(key.slice('whsec_'.length), 'base64'))
    .update(content)
    .digest('base64')
}

export class WebhookService implements AsyncDisposable {
  readonly received: Received[] = []
  /** By the id of the message: one that is repeated is the same job. */
  readonly jobs = new Map<string, Job>()
  /** Where it erases. */
  io: FileIO
  /** What it does with the files of a purge. @default it erases them */
  erase: (paths: readonly string[]) => Promise<Failure[]> = (paths) => this.#delete(paths)
  /** @default it answers as it should */
  fault: Fault = () => false
  /** Whether it offers a statusUrl. @default true */
  polled = true
  readonly #server: Server
  readonly #secret: string

  static async start(io: FileIO, key = secret): Promise<WebhookService> {
    const service = new WebhookService(io, key)
    await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve))
    return service
  }

  private constructor(io: FileIO, key: string) {
    this.io = io
    this.#secret = key
    this.#server = createServer((request, response) => {
      void this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error))
      })
    })
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/purges`
  }

  /** The documents of one event, in the order in which they came. */
  documents(event = 'purge.requested'): PurgeDocument[] {
    return this.received
      .filter(({ method }) => method === 'POST')
      .map(({ body }) => JSON.parse(body) as PurgeDocument)
      .filter((document) => document.event === event)
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(Array.from(this.jobs.values(), ({ work }) => work))
  }

  /** Calls back about the latest job: what a service says, by default how it really is. */
  async callBack(job: Job, options: { body?: object; key?: string; seconds?: number; url?: string } = {}) {
    const { id, generation, callbackUrl } = job.document
    const body = JSON.stringify(options.body ?? { id, generation, ...job.status })
    const headers = signed(options.key ?? this.#secret, `cb_${job.reference}`, body, options.seconds)
    return await fetch(options.url ?? callbackUrl!, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.idle()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const { method = '', url: path = '', headers } = request
    const received = { method, path, headers, body }
    this.received.push(received)
    if (this.fault(received, response)) return
    if (!this.#isAuthentic(received)) return json(response, 401, { message: 'forged' })
    if (method === 'GET') {
      const job = [...this.jobs.values()].find(({ reference }) => path.endsWith(reference))
      return job ? json(response, 200, job.status) : json(response, 404, {})
    }
    const document = JSON.parse(body) as PurgeDocument
    if (document.event !== 'purge.requested') return void response.writeHead(204).end()
    const { reference } = this.#jobOf(String(headers['webhook-id']), document)
    json(response, 202, { reference, ...(this.polled && { statusUrl: `/status/${reference}` }) })
  }

  #isAuthentic({ headers, body }: Received): boolean {
    const seconds = Number(headers['webhook-timestamp'])
    const right = signed(this.#secret, String(headers['webhook-id']), body, seconds)['webhook-signature']
    return String(headers['webhook-signature']).split(' ').includes(right)
  }

  #jobOf(message: string, document: PurgeDocument): Job {
    const known = this.jobs.get(message)
    if (known) return known
    const reference = `job-${this.jobs.size + 1}`
    const job: Job = { reference, document, status: { state: 'running' }, work: Promise.resolve() }
    job.work = this.#work(job)
    this.jobs.set(message, job)
    return job
  }

  async #work(job: Job): Promise<void> {
    const failures: Failure[] = []
    let deleted = 0
    try {
      const keep = async (paths: readonly string[]) => paths.map((path) => ruleOf(job.document, path))
      const { uuid, metadataLocation } = job.document
      const purge = { kind: 'table', uuid, metadataLocation } as Purge
      for await (const files of doomedData(purge, testRun(this.io, { keep }))) {
        const failed = await this.erase(files.map(({ path }) => path))
        failures.push(...failed)
        deleted += files.length - failed.length
        job.status = { state: 'running', counts: { deleted } }
      }
      job.status =
        failures.length === 0
          ? { state: 'finished', counts: { deleted } }
          : { state: 'failed', message: `${failures.length} files are left`, failures }
    } catch (error) {
      job.status = { state: 'failed', message: String(error) }
    }
  }

  async #delete(paths: readonly string[]): Promise<Failure[]> {
    const outcomes = await this.io.deleteFiles(paths)
    return outcomes.flatMap((outcome, index) =>
      'code' in outcome ? [{ ...outcome, path: paths[index]! }] : [],
    )
  }
}

export interface Failure {
  readonly path: string
  readonly outcome: 'failed' | 'blocked'
  readonly code: string
  readonly message: string
}

/** As the guide tells a service: the longest place that contains the path decides. */
function ruleOf({ locations, keep }: PurgeDocument, path: string): string | undefined {
  const around = [...locations, ...keep].filter((place) => path.startsWith(place))
  const longest = around.toSorted((a, b) => b.length - a.length)[0]
  return longest !== undefined && locations.includes(longest) ? undefined : 'not mine'
}

export function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
