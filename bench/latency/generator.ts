/**
 * The load, in a process of its own, as an open loop: every request is sent when it is due, whether those before it were
 * answered or not, and its latency counts from the moment when it was due. One message in, one out.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import type { TimedRequest } from './schedule.ts'

export interface Job {
  /** `http://HOST:PORT` */
  readonly origin: string
  /** In the order in which they are due. */
  readonly requests: readonly TimedRequest[]
  /** Connections to have open before the first request; more are opened as they are needed. */
  readonly connections: number
  /** A request that changes nothing, by which connections are opened. */
  readonly opening: string
}

export interface Answered {
  /** 0: none, the connection broke. */
  readonly status: number
  /** Milliseconds from the moment when the request was due until the last byte of its answer had come. */
  readonly latency: number
  /** Milliseconds by which it was sent too late; part of the latency. */
  readonly late: number
  /** Header of that name. */
  readonly link: string | undefined
}

process.once('message', (job: Job) => {
  void run(job).then((answered) => process.send!(answered, () => process.disconnect()))
})

async function run(job: Job): Promise<Answered[]> {
  const pool = new Pool(job.origin, { connections: null, headersTimeout: 0, bodyTimeout: 0 })
  await Promise.all(
    Array.from({ length: job.connections }, async () => {
      const { body } = await pool.request({ method: 'GET', path: job.opening })
      await body.dump()
    }),
  )
  const began = performance.now() + 50
  const answers: Promise<Answered>[] = []
  for (const request of job.requests) {
    const due = began + request.at
    for (let wait = due - performance.now(); wait > 0; wait = due - performance.now()) await sleep(wait)
    answers.push(send(pool, request, due))
  }
  const answered = await Promise.all(answers)
  await pool.close()
  return answered
}

async function send(pool: Pool, request: TimedRequest, due: number): Promise<Answered> {
  const late = performance.now() - due
  try {
    const { statusCode, headers, body } = await pool.request({
      method: request.method,
      path: request.path,
      ...(request.body !== undefined && { body: request.body }),
      headers: { 'content-type': 'application/json' },
    })
    await body.dump()
    const link = typeof headers.link === 'string' ? headers.link : undefined
    return { status: statusCode, latency: performance.now() - due, late, link }
  } catch (error) {
    console.error(`${request.method} ${request.path}:`, error)
    return { status: 0, latency: performance.now() - due, late, link: undefined }
  }
}
