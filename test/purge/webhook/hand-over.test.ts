import { describe, expect, it } from 'vitest'
import type { IcebergPurger, PurgeRun } from '../../../src/purge/purger.ts'
import { dialects } from '../../../src/testing/databases.ts'
import type { WrittenTable } from '../../../src/testing/table-writer/table.ts'
import { watchDeletes } from '../../../src/testing/watched-file-io.ts'
import { secret } from './service.ts'
import { Setting } from './setting.ts'

const everything = ({ files }: WrittenTable) => Object.values(files).flat().toSorted()

describe.each(dialects)('webhook with a ledger on %s', (dialect) => {
  it('tells the service all it has to know, and erases the rest when it is done', async () => {
    await using setting = await Setting.open(dialect, { publicUrl: 'https://lake.example.com' })
    const { fixture, service } = setting
    const table = await fixture.table('t')
    const neighbour = await fixture.table('t2')
    const id = await fixture.drop('t')
    expect(await setting.run(id)).toEqual({ state: 'handed_off', message: undefined })
    expect(service.documents()).toEqual([
      {
        version: 1,
        event: 'purge.requested',
        id,
        generation: 1,
        warehouse: 'main',
        kind: 'table',
        namespace: ['ns'],
        name: 't',
        uuid: table.purge.uuid,
        metadataLocation: table.purge.metadataLocation,
        requestedAt: new Date((await setting.record(id)).purge.request.requestedAt).toISOString(),
        files: expect.any(Number) as number,
        bytes: expect.any(Number) as number,
        locations: [`${fixture.location('t')}/`],
        keep: [],
        callbackUrl: `https://lake.example.com/management/v1/purges/${id}/callback`,
      },
    ])
    expect(service.received[0]!.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': `purge_${id}_1_requested`,
    })
    await service.idle()
    const others = everything(table).filter((path) => !table.files.data.includes(path))
    expect(await fixture.files()).toEqual([...others, ...everything(neighbour)].toSorted())

    expect(await setting.run(id)).toEqual({ state: 'succeeded', message: undefined })
    expect(await fixture.files()).toEqual(everything(neighbour))
    expect(service.received.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /purges',
      'GET /status/job-1',
    ])
    expect((await fixture.ledger.certificate(id))!.certificate).toMatchObject({ state: 'succeeded' })
  })

  it('leaves to the service what lies in the table’s own places, and looks after the rest here', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service } = setting
    const lender = await fixture.table('lender')
    const nested = await fixture.tableAt('nested', 't/nested')
    const outside = [1, 2].map((number) => `file://${fixture.folder}/imported/${number}/x.parquet`)
    for (const path of outside) await fixture.io.write(path, Buffer.from('x'))
    const borrowed = [...lender.files.data.slice(0, 3), nested.files.data[0]!, ...outside]
    const table = await fixture.table('t', { borrowed })
    const id = await fixture.drop('t')
    await setting.run(id)
    await service.idle()
    expect(setting.job.document).toMatchObject({ keep: [`${fixture.location('t')}/nested/`] })
    expect(await fixture.files()).toEqual(expect.arrayContaining(outside))
    expect(await fixture.files()).not.toContain(table.files.data[0])

    // Another table gets a place around such a file while the service is at work.
    await fixture.place('lender', `file://${fixture.folder}/imported/1`)
    const stuck = watchDeletes(fixture.io, (path) =>
      path === outside[1] ? { outcome: 'failed', code: 'InternalError', message: 'no' } : undefined,
    )
    expect(await setting.run(id, { io: stuck })).toMatchObject({
      state: 'pending',
      message: expect.stringContaining('could not be deleted') as string,
    })
    expect(await fixture.ledger.failures(id)).toMatchObject([{ path: outside[1], code: 'InternalError' }])
    expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
    const kept = [...everything(lender), ...everything(nested), outside[0]!]
    expect(await fixture.files()).toEqual(kept.toSorted())
    expect((await setting.record(id)).counts.data).toEqual({
      deleted: setting.job.document.files + 1,
      kept: 5,
    })
    expect(service.documents()).toHaveLength(1)
  })

  it('sends the same message again after a crash between the answer and the ledger', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service, purger } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    const rows: Promise<{ checkpoint: string | null; begun_at: number | null }>[] = []
    service.fault = () => {
      const row = fixture.database.reader.selectFrom('purges').select(['checkpoint', 'begun_at'])
      rows.push(row.executeTakeFirstOrThrow())
      return false
    }
    const paused: IcebergPurger = {
      name: 'webhook',
      waits: false,
      purge: async (purge, run) => {
        // The answer never comes to the ledger.
        const save: PurgeRun['save'] = (checkpoint, done) =>
          JSON.stringify(checkpoint).includes('takenAt') || run.save(checkpoint, done)
        const result = await purger.purge(purge, Object.create(run, { save: { value: save } }) as PurgeRun)
        // The lease has run out, however hard this worker tries to renew it, and another worker takes the purge up.
        const lost = { lease_owner: 'dead:1', lease_expires_at: 0 }
        await fixture.database.transaction(async (tx) => {
          await tx.updateTable('purges').set(lost).where('id', '=', id).execute()
        })
        expect(await setting.run(id, { owner: 'test:2' })).toMatchObject({ state: 'handed_off' })
        return result
      },
    }
    expect(await setting.run(id, { purger: paused })).toMatchObject({ state: 'handed_off' })
    const [first, second] = service.received
    expect(service.received).toHaveLength(2)
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id'])
    expect(service.jobs.size).toBe(1)
    const { checkpoint, begun_at } = await rows[0]!
    expect(begun_at).not.toBeNull()
    expect(JSON.parse(checkpoint!)).toMatchObject({ stage: 'data', webhook: { generation: 1 } })
    expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
  })

  it('tells a service to stop that is held while it is being told, and tells it anew afterwards', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service, purger } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    const answering: IcebergPurger = {
      name: 'webhook',
      waits: false,
      purge: async (purge, run) => {
        const result = await purger.purge(purge, run)
        expect(await fixture.ledger.hold(id, 'legal asks')).toBe('handed_off')
        return result
      },
    }
    expect(await setting.run(id, { purger: answering })).toMatchObject({ state: 'handed_off' })
    expect(await setting.run(id)).toEqual({ state: 'held', message: 'legal asks' })
    expect(service.documents('purge.cancel')).toMatchObject([{ id, generation: 1 }])
    await fixture.ledger.release(id)
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(service.documents('purge.requested').map(({ generation }) => generation)).toEqual([1, 2])
    expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
  })

  it('cannot be cancelled any more once the service may have been told', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    service.fault = (_, response) => {
      response.destroy()
      return true
    }
    const end = await setting.run(id)
    expect(end).toMatchObject({
      state: 'pending',
      message: expect.stringContaining('gave no answer') as string,
    })
    expect((await setting.record(id)).begunAt).toBeDefined()
    await expect(fixture.ledger.cancel(id)).rejects.toThrow('has begun to erase files')
  })

  it('waits as long as the service asks for, and does not count that', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service } = setting
    await fixture.table('t')
    const id = await fixture.drop('t', { maxAttempts: 1 })
    service.fault = (_, response) => {
      response.writeHead(503, { 'retry-after': '120' }).end('a window')
      return true
    }
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await setting.run(id)).toMatchObject({
        state: 'pending',
        message: expect.stringContaining('answered 503: a window') as string,
      })
      const { attempts, nextAttemptAt, updatedAt } = await setting.record(id)
      expect([attempts, nextAttemptAt - updatedAt]).toEqual([0, 120_000])
    }
    service.fault = () => false
    await setting.run(id)
    expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
  })

  it('never takes the word of a service for it: what is said to be erased is looked for', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service } = setting
    const table = await fixture.table('t')
    const id = await fixture.drop('t', { maxAttempts: 3 })
    service.erase = async () => []
    const states: string[] = []
    for (let attempt = 0; states.at(-1) !== 'failed'; attempt++) {
      expect(attempt).toBeLessThan(10)
      states.push((await setting.run(id)).state)
    }
    expect(states).toEqual(['handed_off', 'pending', 'handed_off', 'pending', 'handed_off', 'failed'])
    expect(await fixture.files()).toEqual(everything(table))
    expect(service.documents().map(({ generation }) => generation)).toEqual([1, 2, 3])
    expect((await setting.record(id)).lastError).toContain('still there')
    const [named] = await fixture.ledger.failures(id)
    expect(table.files.data).toContain(named!.path)
    expect(named).toMatchObject({ stage: 'data', outcome: 'failed', code: 'StillThere' })

    // Repaired, and asked once more by an operator.
    service.erase = async (paths) => {
      await fixture.io.deleteFiles(paths)
      return []
    }
    await fixture.ledger.retry(id)
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it('names the files that the service could not erase, and tells it again', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service } = setting
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    const stubborn = table.files.data[1]!
    const erase = service.erase
    service.erase = async (paths) => {
      await erase(paths.filter((path) => path !== stubborn))
      const failure = { path: stubborn, outcome: 'failed', code: 'SlowDown', message: 'busy' } as const
      return paths.includes(stubborn) ? [failure] : []
    }
    await setting.run(id)
    expect(await setting.run(id)).toEqual({
      state: 'pending',
      message: 'The service failed: 1 files are left',
    })
    expect(await fixture.ledger.failures(id)).toMatchObject([
      { path: stubborn, stage: 'data', outcome: 'failed', code: 'SlowDown', message: 'busy' },
    ])
    service.erase = erase
    await setting.run(id)
    expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
    expect(await fixture.ledger.failures(id)).toEqual([])
  })

  it('fails at once when the store forbids it, and tells the service again after a retry', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    const erase = service.erase
    service.erase = async (paths) =>
      paths.map((path) => ({ path, outcome: 'blocked', code: 'AccessDenied', message: 'locked' }))
    await setting.run(id)
    expect(await setting.run(id)).toMatchObject({ state: 'failed' })
    expect((await fixture.ledger.failures(id))[0]).toMatchObject({ outcome: 'blocked', code: 'AccessDenied' })
    service.erase = erase
    await fixture.ledger.retry(id)
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
  })

  it('goes on here when the data files are gone, whatever becomes of the service', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service } = setting
    const table = await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    await service.idle()
    const manifest = table.files.manifests[0]!
    const stuck = watchDeletes(fixture.io, () => ({
      outcome: 'failed',
      code: 'InternalError',
      message: 'no',
    }))
    expect(await setting.run(id, { io: stuck })).toMatchObject({
      state: 'pending',
      message: expect.stringContaining('could not be deleted') as string,
    })
    expect(await fixture.files()).toContain(manifest)
    service.fault = () => {
      throw new Error('The service is not asked again.')
    }
    expect(await setting.run(id)).toMatchObject({ state: 'succeeded' })
    expect(await fixture.files()).toEqual([])
  })

  it.each([404, 410])(
    'is held when the service answers the hold with %i: it has forgotten the purge',
    async (status) => {
      await using setting = await Setting.open(dialect)
      const { fixture, service } = setting
      await fixture.table('t')
      const id = await fixture.drop('t')
      service.erase = async () => []
      expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
      await fixture.ledger.hold(id, 'legal asks')
      service.fault = ({ body }, response) => {
        if (!body.includes('purge.cancel')) return false
        response.writeHead(status).end('unknown purge')
        return true
      }
      expect(await setting.run(id)).toEqual({ state: 'held', message: 'legal asks' })
      expect(service.documents('purge.cancel')).toHaveLength(1)
      await fixture.ledger.release(id)
      await setting.run(id)
      expect(service.documents().map(({ generation }) => generation)).toEqual([1, 2])
    },
  )

  it('fails when the service refuses the hold in any other way', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    service.erase = async () => []
    expect(await setting.run(id)).toMatchObject({ state: 'handed_off' })
    await fixture.ledger.hold(id, 'legal asks')
    service.fault = (_, response) => {
      response.writeHead(403).end('not you')
      return true
    }
    expect(await setting.run(id)).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('refused with 403: not you') as string,
    })
  })

  it('keeps the secret to itself', async () => {
    await using setting = await Setting.open(dialect)
    const { fixture, service } = setting
    await fixture.table('t')
    const id = await fixture.drop('t')
    await setting.run(id)
    const row = await fixture.database.reader.selectFrom('purges').selectAll().executeTakeFirstOrThrow()
    const seen = JSON.stringify([row, service.received])
    expect(seen).toContain('job-1')
    expect(seen).not.toContain(secret.slice('whsec_'.length))
  })
})
