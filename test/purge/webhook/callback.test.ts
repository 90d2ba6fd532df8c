import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { LocalFileIO } from '../../../src/storage/local/local-file-io.ts'
import { dialects } from '../../../src/testing/databases.ts'
import { type WrittenTable, writeTable } from '../../../src/testing/table-writer/table.ts'
import { createTable, type Served, serve } from '../../server/fixture.ts'
import { type Job, otherSecret, secret, WebhookService } from './service.ts'

/** Where the service believes the server to be; tests go to the one that runs. */
const publicUrl = 'http://127.0.0.1:1/moulin'

class Running implements AsyncDisposable {
  readonly served: Served
  readonly service: WebhookService

  static async start(dialect: (typeof dialects)[number]): Promise<Running> {
    // The service only needs to be there: where it erases is known when the server is.
    const service = await WebhookService.start(new LocalFileIO(['/nowhere']))
    service.polled = false
    const options = { url: service.url, secrets: [secret], publicUrl }
    const when = { minFiles: 1, property: undefined, value: undefined }
    const routes = [{ when, purger: 'webhook', options }]
    const served = await serve({ dialect, purge: { purger: 'sql-async', routes } })
    service.io = new LocalFileIO([served.folder])
    return new Running(served, service)
  }

  private constructor(served: Served, service: WebhookService) {
    this.served = served
    this.service = service
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.served[Symbol.asyncDispose]()
    await this.service[Symbol.asyncDispose]()
  }

  /** A table with files, dropped with purge, and the job that the service has got for it. */
  async dropped(): Promise<{ table: WrittenTable; job: Job; url: string }> {
    const { served, service } = this
    const table = await writeTable(service.io, `file://${served.folder}/main/ns/t`)
    await served.call('POST', '/namespaces', { namespace: ['ns'] })
    const registration = { name: 't', 'metadata-location': table.purge.metadataLocation }
    expect((await served.call('POST', '/namespaces/ns/register', registration)).status).toBe(200)
    const answer = await served.call('DELETE', '/namespaces/ns/tables/t?purgeRequested=true')
    expect(answer.status).toBe(204)
    const path = /<(.+)>/.exec(answer.headers.get('link')!)![1]!
    await this.until(path, 'handed_off')
    const job = [...service.jobs.values()].at(-1)!
    await job.work
    expect(job.document.callbackUrl).toBe(`${publicUrl}${path}/callback`)
    return { table, job, url: `${served.url}${path}/callback` }
  }

  async until(path: string, ...states: string[]) {
    for (let attempt = 0; attempt < 400; attempt++) {
      const { json } = await this.served.call('GET', `/!${path.slice(1)}`)
      if (states.includes(json.state)) return json
      await sleep(20)
    }
    return expect.unreachable(`The purge did not become ${states.join(' or ')}.`)
  }
}

const errorOf = async (answer: Response) =>
  ((await answer.json()) as { error: { type: string; message: string } }).error

describe.each(dialects)('call-backs to a server on %s', (dialect) => {
  it('have the purge looked at, and erased to the end, at once; the next ones change nothing', async () => {
    await using running = await Running.start(dialect)
    const { service, served } = running
    const { job, url } = await running.dropped()
    const answers = await Promise.all([1, 2, 3].map(() => service.callBack(job, { url })))
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202])
    expect(await answers[0]!.text()).toBe('')
    const path = new URL(url).pathname.replace('/callback', '')
    const record = await running.until(path, 'succeeded')
    expect(record).toMatchObject({ purger: 'webhook', attempts: 1, counts: { root: { deleted: 1 } } })
    const left = await Array.fromAsync(service.io.list(`file://${served.folder}/main/ns`))
    expect(left).toEqual([])
    expect((await service.callBack(job, { url })).status).toBe(202)
    expect((await running.until(path, 'succeeded')).attempts).toBe(1)
  })

  it('are refused when they are forged, old, or about something else', async () => {
    await using running = await Running.start(dialect)
    const { service } = running
    service.erase = async () => []
    const { job, url } = await running.dropped()
    const { id, generation } = job.document
    const now = Math.floor(Date.now() / 1_000)

    for (const [options, complaint] of [
      [{ key: otherSecret }, 'no signature'],
      [{ seconds: now - 301 }, '300 seconds away'],
      [{ seconds: now + 330 }, '300 seconds away'],
    ] as const) {
      const answer = await service.callBack(job, { ...options, url })
      expect(answer.status).toBe(401)
      expect(await errorOf(answer)).toMatchObject({
        type: 'NotAuthorizedException',
        message: expect.stringContaining(complaint) as string,
      })
    }
    const unsigned = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id, generation, state: 'finished' }),
    })
    expect(unsigned.status).toBe(401)
    expect((await fetch(url, { method: 'POST' })).status).toBe(401)

    for (const [body, complaint] of [
      [{ id: randomUUID(), generation, state: 'finished' }, 'id must be that of the purge'],
      [{ generation, state: 'finished' }, 'id is missing'],
      [{ id, state: 'finished' }, 'generation is missing'],
      [{ id, generation, state: 'running' }, 'state must be'],
      [{ id, generation, state: 'failed', message: 'x', failures: [{ path: 'zero\0' }] }, 'zero characters'],
    ] as const) {
      const answer = await service.callBack(job, { body, url })
      expect(answer.status).toBe(400)
      expect((await errorOf(answer)).message).toContain(complaint)
    }
    const huge = { id, generation, state: 'failed', message: 'x'.repeat(40_000) }
    const refused = await service.callBack(job, { body: huge, url })
    expect(refused.status).toBe(413)
    expect(await errorOf(refused)).toEqual({
      code: 413,
      type: 'PayloadTooLargeException',
      message: 'A call-back has 32768 bytes at most.',
    })

    const { database } = running.served.database
    expect(await database.reader.selectFrom('purge_messages').selectAll().execute()).toEqual([])
  })

  it('of an earlier generation do not end a later one, however often they are replayed', async () => {
    await using running = await Running.start(dialect)
    const { service } = running
    const honest = service.erase
    service.erase = async () => []
    const { table, job, url } = await running.dropped()
    const path = new URL(url).pathname.replace('/callback', '')
    expect(job.status.state).toBe('finished')
    expect((await service.callBack(job, { url })).status).toBe(202)
    // It lied: the files are there, and it is told again.
    for (let attempt = 0; service.jobs.size < 2 && attempt < 400; attempt++) await sleep(20)
    await running.until(path, 'handed_off')
    expect((await service.callBack(job, { url })).status).toBe(202)
    for (let attempt = 0; attempt < 20; attempt++) {
      await sleep(20)
      expect(await service.io.stat(table.files.data[0]!)).toBeDefined()
    }
    const again = [...service.jobs.values()][1]!
    expect(again.document.generation).toBe(2)
    await again.work
    service.erase = honest
    const paths = table.files.data
    await honest(paths)
    expect((await service.callBack(again, { url })).status).toBe(202)
    expect(await running.until(path, 'succeeded', 'failed')).toMatchObject({ state: 'succeeded' })
  })

  it('go to purges that there are, of purgers that take them', async () => {
    await using running = await Running.start(dialect)
    const { served } = running
    const to = async (server: Served, id: string) =>
      await server.call('POST', `/!management/v1/purges/${id}/callback`, { state: 'finished' })
    expect((await to(served, randomUUID())).json.error.type).toBe('NoSuchPurgeException')
    for (const id of ['nothing', '%00', '%F0%9F']) expect((await to(served, id)).status).toBeLessThan(500)
    expect((await to(served, 'nothing')).status).toBe(404)

    await using other = await serve({ dialect })
    await createTable(other)
    const dropped = await other.call('DELETE', '/namespaces/ns/tables/cities?purgeRequested=true')
    expect(dropped.status).toBe(204)
    const { json } = await other.call('GET', '/!management/v1/purges')
    expect((await to(other, json.purges[0].id)).status).toBe(404)
  })
})
