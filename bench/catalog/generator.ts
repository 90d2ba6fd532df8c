/**
 * The load, in a process of its own: each connection sends its next request when the last was answered, until the time
 * is up. One message in, one out.
 */
import { Client } from 'undici'
import type { Tables } from './tables.ts'
import { type Request, urlOf, type Workload, workloads } from './workloads.ts'

export interface Job {
  readonly api: string
  /** Name of one of the workloads. */
  readonly workload: string
  readonly tables: Tables
  readonly connections: number
  readonly seconds: number
  /** Makes names and values differ from those of other jobs. */
  readonly unique: string
}

export interface Measured {
  /** Answers with a 2xx status per second. */
  readonly rate: number
  readonly answers: number
  /** Answers with another status, by status. */
  readonly refused: Readonly<Record<string, number>>
  /** Milliseconds until the last byte of an answer had come. */
  readonly p50: number
  readonly p99: number
}

process.once('message', (job: Job) => {
  void measure(job).then((measured) => process.send!(measured, () => process.disconnect()))
})

async function measure(job: Job): Promise<Measured> {
  const workload = workloads.find(({ name }) => name === job.workload)!
  const latencies: number[] = []
  const refused: Record<string, number> = {}
  const rates = await Promise.all(
    Array.from({ length: job.connections }, (_, connection) =>
      keepAsking(job, workload, connection, latencies, refused),
    ),
  )
  const sorted = latencies.toSorted((a, b) => a - b)
  const quantile = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN
  return {
    rate: rates.reduce((sum, rate) => sum + rate, 0),
    answers: latencies.length,
    refused,
    p50: quantile(0.5),
    p99: quantile(0.99),
  }
}

/** @returns this connection's rate, by its own clock: the last request counts whole, however long it took */
async function keepAsking(
  job: Job,
  workload: Workload,
  connection: number,
  latencies: number[],
  refused: Record<string, number>,
): Promise<number> {
  const client = new Client(new URL(job.api).origin, { bodyTimeout: 0, headersTimeout: 0 })
  const began = performance.now()
  const deadline = began + job.seconds * 1_000
  let answers = 0
  let ended = began
  for (let index = 0; ended < deadline; index++) {
    const started = ended
    const request = workload.request(job.tables, connection, `${job.unique}_${connection}_${index}`)
    const status = await send(client, job.api, request)
    ended = performance.now()
    if (status >= 200 && status < 300) {
      answers++
      latencies.push(ended - started)
    } else {
      refused[status] = (refused[status] ?? 0) + 1
    }
  }
  await client.close()
  return (answers * 1_000) / (ended - began)
}

/** Sends a request and drops the answer's body as it comes. @returns the status */
function send(client: Client, api: string, request: Request): Promise<number> {
  return new Promise((resolve, reject) => {
    let status = 0
    client.dispatch(
      {
        method: request.method,
        path: urlOf(api, request).pathname,
        headers: { 'content-type': 'application/json' },
        body: request.body ?? null,
      },
      {
        onRequestStart: () => {},
        onResponseStart: (_controller, code) => {
          status = code
        },
        onResponseData: () => {},
        onResponseEnd: () => resolve(status),
        onResponseError: (_controller, error) => reject(error),
      },
    )
  })
}
