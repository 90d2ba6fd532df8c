import { mkdtempSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PermanentPurgeError, RetryablePurgeError, ThrottledPurgeError } from '../../../src/purge/purger.ts'
import { webhookOptions } from '../../../src/purge/purgers/webhook/options.ts'
import { WebhookPurger } from '../../../src/purge/purgers/webhook/webhook-purger.ts'
import { LocalFileIO } from '../../../src/storage/local/local-file-io.ts'
import { type TestRun, testRun } from '../../../src/testing/purge-run.ts'
import { type WrittenTable, writeTable } from '../../../src/testing/table-writer/table.ts'
import { json, otherSecret, secret, WebhookService } from './service.ts'

let folder: string
let io: LocalFileIO
let service: WebhookService
let table: WrittenTable
let run: TestRun
/** Milliseconds by which the purger's clock is ahead. */
let ahead: number

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moulin-webhook-'))
  io = new LocalFileIO([folder])
  service = await WebhookService.start(io)
  table = await writeTable(io, `file://${folder}/t`)
  run = testRun(io)
  ahead = 0
})
afterEach(async () => {
  await service[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

function purgerWith(options: Record<string, unknown> = {}): WebhookPurger {
  const all = webhookOptions({ url: service.url, secrets: [secret], ...options })
  return new WebhookPurger(all, () => Date.now() + ahead)
}

/** What becomes of a purge when the service answers like this. */
async function refusal(answer: (response: ServerResponse) => void, options = {}): Promise<Error> {
  service.fault = (_, response) => {
    answer(response)
    return true
  }
  return await purgerWith(options)
    .purge(table.purge, run)
    .then(
      () => expect.unreachable('the answer was taken for a good one'),
      (error: Error) => error,
    )
}

describe('an answer to a purge', () => {
  it('may ask for patience, and is given it', async () => {
    for (const [status, header, milliseconds] of [
      [429, '7', 7_000],
      [429, undefined, undefined],
      [503, '0', 0],
      [503, '86400', 3_600_000],
      [503, new Date(0).toUTCString(), 0],
    ] as const) {
      const error = await refusal((response) => {
        response.writeHead(status, header === undefined ? {} : { 'retry-after': header }).end('busy')
      })
      expect(error).toBeInstanceOf(ThrottledPurgeError)
      expect(error).toMatchObject({ retryAfter: milliseconds })
      expect(error.message).toContain(`answered ${status}: busy`)
    }
  })

  it('is an error that may pass when the service is in trouble', async () => {
    for (const status of [500, 502, 503, 504, 408, 425]) {
      const error = await refusal((response) => response.writeHead(status).end())
      expect(error).toBeInstanceOf(RetryablePurgeError)
      expect(error).not.toBeInstanceOf(ThrottledPurgeError)
      expect(error.message).toContain(`answered ${status}: no message`)
    }
  })

  it('is final when the service refuses, in its own words, cut to 1,000 characters', async () => {
    for (const status of [400, 401, 403, 404, 409, 410, 413, 422]) {
      const error = await refusal((response) =>
        response.writeHead(status).end(`no\u0000\n${'x'.repeat(2_000)}`),
      )
      expect(error).toBeInstanceOf(PermanentPurgeError)
      expect(error.message).toMatch(new RegExp(`refused with ${status}: no x{997}$`))
    }
  })

  it('is not followed elsewhere', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const error = await refusal((response) => response.writeHead(status, { location: '/elsewhere' }).end())
      expect(error).toBeInstanceOf(PermanentPurgeError)
      expect(error.message).toContain('redirect')
    }
    expect(service.received.map(({ path }) => path)).not.toContain('/elsewhere')
  })

  it('is waited for as long as configured: for its head, and for its body', async () => {
    const options = { timeoutSeconds: 0.3 }
    const silent = await refusal(() => undefined, options)
    expect(silent).toBeInstanceOf(RetryablePurgeError)
    expect(silent.message).toContain('none within 0.3 s')
    const halting = await refusal((response) => response.writeHead(202).write('{'), options)
    expect(halting).toBeInstanceOf(RetryablePurgeError)
    expect(halting.message).toContain('none within 0.3 s')
  })

  it('is read up to 64 KiB', async () => {
    const padded = (size: number) =>
      JSON.stringify({ reference: 'r', statusUrl: '/s', more: 'x'.repeat(size) })
    const error = await refusal((response) => response.writeHead(202).end(padded(65_536)))
    expect(error).toBeInstanceOf(RetryablePurgeError)
    expect(error.message).toContain('more than 65536 bytes')
    service.fault = (_, response) => {
      response.writeHead(202).end(padded(60_000))
      return true
    }
    expect(await purgerWith().purge(table.purge, run)).toEqual({ kind: 'handed_off', reference: 'r' })
  })

  it('must hold what the contract says', async () => {
    for (const [body, complaint] of [
      ['', 'did not answer with JSON'],
      ['<html>', 'did not answer with JSON'],
      ['[]', 'must be a JSON object'],
      ['{}', 'reference is missing'],
      ['{"reference":7}', 'reference must be a string'],
      ['{"reference":""}', '1 to 500 characters'],
      [`{"reference":"${'r'.repeat(501)}"}`, '1 to 500 characters'],
      ['{"reference":"a\\u0000"}', 'no control characters'],
      [
        '{"reference":"r","statusUrl":"http://169.254.169.254/latest"}',
        'statusUrl must begin with http://127.0.0.1:',
      ],
      ['{"reference":"r","statusUrl":"//example.com/s"}', 'statusUrl must begin with'],
      ['{"reference":"r","statusUrl":"http://[/"}', 'statusUrl must begin with'],
    ] as const) {
      const error = await refusal((response) => response.writeHead(202).end(body))
      expect(error.message).toContain(complaint)
      expect(error).not.toBeInstanceOf(PermanentPurgeError)
    }
    const mute = await refusal((response) => json(response, 202, { reference: 'r' }))
    expect(mute).toBeInstanceOf(PermanentPurgeError)
    expect(mute.message).toContain('publicUrl')
  })

  it('does not come from a service that is not there', async () => {
    const closed = createServer()
    const port = await new Promise<number>((resolve) => {
      closed.listen(0, '127.0.0.1', () => resolve((closed.address() as { port: number }).port))
    })
    await new Promise((resolve) => closed.close(resolve))
    const purger = purgerWith({ url: `http://127.0.0.1:${port}/purges?token=hunter2` })
    const error = await purger.purge(table.purge, run).catch((thrown: Error) => thrown)
    expect(error).toBeInstanceOf(RetryablePurgeError)
    expect((error as Error).message).toBe(
      `The service http://127.0.0.1:${port}/purges gave no answer: ECONNREFUSED`,
    )
  })

  it('is not waited for when the purge is stopped', async () => {
    const controller = new AbortController()
    const stopped = testRun(io, { signal: controller.signal })
    service.fault = () => {
      controller.abort(new Error('held'))
      return true
    }
    await expect(purgerWith().purge(table.purge, stopped)).rejects.toThrow('held')
  })
})

describe('a status', () => {
  /** Asked once the service has taken the purge and done its work. */
  async function inspection(answer: (response: ServerResponse) => void, options = {}) {
    const purger = purgerWith(options)
    const result = await purger.purge(table.purge, run)
    if (result.kind !== 'handed_off') return expect.unreachable('nothing was handed over')
    await service.idle()
    service.fault = (_, response) => {
      answer(response)
      return true
    }
    return await purger.inspect(table.purge, result.reference, run)
  }

  it('tells of progress', async () => {
    const counts = { deleted: 12, absent: 1, failed: 0 }
    expect(await inspection((response) => json(response, 200, { state: 'running', counts }))).toEqual({
      state: 'running',
      counts: { data: counts },
    })
    const { headers, method, body } = service.received.at(-1)!
    expect([method, body, headers['webhook-id']]).toEqual(['GET', '', `purge_${table.purge.id}_1_status`])
  })

  it('must be one', async () => {
    for (const body of [
      {},
      { state: 'done' },
      { state: 'running', counts: { deleted: -1 } },
      { state: 'running', counts: { deleted: 1.5 } },
      { state: 'failed', failures: [{}] },
      { state: 'failed', failures: [{ path: 'p', outcome: 'deleted' }] },
    ]) {
      await expect(inspection((response) => json(response, 200, body))).rejects.toThrow(/^Invalid /)
      service.fault = () => false
    }
  })

  it('that cannot be had is asked for again, without counting, until the deadline', async () => {
    const broken = (response: ServerResponse) => response.writeHead(500).end()
    await expect(inspection(broken)).rejects.toBeInstanceOf(ThrottledPurgeError)
    ahead = 25 * 3_600_000
    const purger = purgerWith()
    const asked = purger.inspect(table.purge, 'job-1', run)
    await expect(asked).rejects.toBeInstanceOf(RetryablePurgeError)
    await expect(asked).rejects.not.toBeInstanceOf(ThrottledPurgeError)
  })

  it('of a service that takes too long, or has forgotten, has it told again', async () => {
    const running = (response: ServerResponse) => json(response, 200, { state: 'running' })
    expect(await inspection(running, { deadlineHours: 2 })).toEqual({ state: 'running' })
    ahead = 2 * 3_600_000 + 60_000
    const purger = purgerWith({ deadlineHours: 2 })
    expect(await purger.inspect(table.purge, 'job-1', run)).toEqual({
      state: 'failed',
      message: 'The service was not done within 2 hours.',
    })
    service.fault = () => false
    ahead = 0
    expect(await inspection((response) => response.writeHead(404).end(), { deadlineHours: 2 })).toEqual({
      state: 'failed',
      message: 'The service failed: It does not know the purge any more.',
    })
    expect(service.documents().map(({ generation }) => generation)).toEqual([1, 2])
    expect(service.received.map(({ headers }) => headers['webhook-id'])).toContain(
      `purge_${table.purge.id}_2_requested`,
    )
  })
})

describe('webhook', () => {
  it('signs with all its secrets, so that either side can change first', async () => {
    const purger = purgerWith({ secrets: [otherSecret, secret] })
    expect(await purger.purge(table.purge, run)).toMatchObject({ kind: 'handed_off' })
    const wrong = purgerWith({ secrets: [otherSecret] })
    await expect(wrong.purge(table.purge, testRun(io))).rejects.toThrow(
      'refused with 401: {"message":"forged"}',
    )
  })

  it('hands nothing over that has no data files to be erased', async () => {
    const location = `file://${folder}/v`
    await io.write(`${location}/metadata/0.metadata.json`, Buffer.from('{}'))
    await io.write(`${location}/metadata/1.metadata.json`, Buffer.from('{}'))
    const view = {
      ...table.purge,
      kind: 'view' as const,
      metadataLocation: `${location}/metadata/1.metadata.json`,
      locations: [{ location, owned: true }],
    }
    expect(await purgerWith().purge(view, run)).toEqual({ kind: 'done', mayBeSwept: true })
    expect(await io.stat(view.metadataLocation)).toBeUndefined()
    expect(service.received).toEqual([])
  })

  it('tells the service when a purge is cancelled', async () => {
    const purger = purgerWith()
    const result = await purger.purge(table.purge, run)
    await purger.cancel(table.purge, (result as { reference: string }).reference, run)
    expect(service.documents('purge.cancel')).toEqual([
      { version: 1, event: 'purge.cancel', id: table.purge.id, generation: 1, reference: 'job-1' },
    ])
    expect(service.received.at(-1)!.headers['webhook-id']).toBe(`purge_${table.purge.id}_1_cancel`)
    // Released, it is another piece of work.
    expect(await purger.purge(table.purge, run)).toMatchObject({ kind: 'handed_off' })
    expect(service.documents('purge.requested').at(-1)).toMatchObject({ generation: 2 })
  })
})
