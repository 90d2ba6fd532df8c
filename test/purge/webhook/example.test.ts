import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { webhookOptions } from '../../../src/purge/purgers/webhook/options.ts'
import { WebhookPurger } from '../../../src/purge/purgers/webhook/webhook-purger.ts'
import { LocalFileIO } from '../../../src/storage/local/local-file-io.ts'
import { PurgeFixture } from '../../../src/testing/purge-fixture.ts'
import { testRun } from '../../../src/testing/purge-run.ts'
import { freePort } from '../../../src/testing/stores/free-port.ts'
import { type TableOptions, writeTable } from '../../../src/testing/table-writer/table.ts'
import { serve } from '../../server/fixture.ts'
import { Example } from './example.ts'
import { secret } from './service.ts'

describe('the example of a service', () => {
  it.each<[string, TableOptions]>([
    ['v1 with embedded manifests', { formatVersion: 1, embedManifests: true, codec: 'null' }],
    ['v2, deflate', { formatVersion: 2 }],
    ['v3, zstandard, gzip', { formatVersion: 3, codec: 'zstandard', gzip: true }],
  ])('erases what it is told, but for what is kept: %s', async (_, shape) => {
    await using fixture = await PurgeFixture.open('sqlite')
    await using example = await Example.start(fixture.folder)
    const purger = new WebhookPurger(webhookOptions({ url: example.url, secrets: [secret] }))
    const lender = await fixture.table('lender')
    await fixture.table('t', { ...shape, borrowed: lender.files.data.slice(0, 2) })
    const id = await fixture.drop('t')
    let end = await fixture.run(id, { purger })
    expect(end).toMatchObject({ state: 'handed_off' })
    for (let asked = 0; asked < 100 && end.state === 'handed_off'; asked++) {
      await sleep(20)
      end = await fixture.run(id, { purger })
    }
    expect(end).toEqual({ state: 'succeeded', message: undefined })
    expect(await fixture.files()).toEqual(Object.values(lender.files).flat().toSorted())
  })

  it('calls back to a server, which needs not ask', async () => {
    const port = await freePort()
    const publicUrl = `http://127.0.0.1:${port}`
    await using example = await Example.start(tmpdir())
    const options = { url: example.url, secrets: [secret], publicUrl }
    await using served = await serve({ server: { port }, purge: { purger: 'webhook', options } })
    const io = new LocalFileIO([served.folder])
    const table = await writeTable(io, `file://${served.folder}/main/ns/t`)
    await served.call('POST', '/namespaces', { namespace: ['ns'] })
    const registration = { name: 't', 'metadata-location': table.purge.metadataLocation }
    await served.call('POST', '/namespaces/ns/register', registration)
    await served.call('DELETE', '/namespaces/ns/tables/t?purgeRequested=true')
    const latest = async () => (await served.call('GET', '/!management/v1/purges')).json.purges[0]
    for (let asked = 0; asked < 400 && (await latest()).state !== 'succeeded'; asked++) await sleep(20)
    expect(await latest()).toMatchObject({ state: 'succeeded', attempts: 1 })
    expect(await Array.fromAsync(io.list(`file://${served.folder}/main/ns`))).toEqual([])
  })

  it('refuses what is not signed, or with another secret', async () => {
    await using example = await Example.start('/nowhere')
    expect((await fetch(example.url, { method: 'POST', body: '{}' })).status).toBe(401)
    await using fixture = await PurgeFixture.open('sqlite')
    const stranger = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
    const purger = new WebhookPurger(webhookOptions({ url: example.url, secrets: [stranger] }))
    await fixture.table('t')
    const id = await fixture.drop('t')
    expect(await fixture.run(id, { purger })).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('refused with 401: {"message":"the signature is wrong"}') as string,
    })
  })

  it('refuses an order that comes after its cancellation, and takes the next one', async () => {
    await using fixture = await PurgeFixture.open('sqlite')
    await using example = await Example.start(fixture.folder)
    const purger = new WebhookPurger(webhookOptions({ url: example.url, secrets: [secret] }))
    const { purge } = await fixture.table('t')
    const before = await fixture.files()
    const recalled = testRun(fixture.io)
    await purger.cancel(purge, 'webhook:1', recalled)
    await expect(purger.purge(purge, testRun(fixture.io))).rejects.toThrow('refused with 409')
    expect(await fixture.files()).toEqual(before)
    const { reference } = (await purger.purge(purge, recalled)) as { reference: string }
    expect(reference).toBe(`${purge.id}-2`)
  })

  it('erases nothing outside of its warehouse', async () => {
    await using example = await Example.start('/nowhere')
    await using fixture = await PurgeFixture.open('sqlite')
    const purger = new WebhookPurger(webhookOptions({ url: example.url, secrets: [secret] }))
    await fixture.table('t')
    const before = await fixture.files()
    const id = await fixture.drop('t')
    let end = await fixture.run(id, { purger })
    for (let asked = 0; asked < 100 && end.state === 'handed_off'; asked++) {
      await sleep(20)
      end = await fixture.run(id, { purger })
    }
    expect(end).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('could not be erased') as string,
    })
    expect((await fixture.ledger.failures(id))[0]).toMatchObject({
      code: 'OutsideWarehouse',
      outcome: 'blocked',
    })
    expect(await fixture.files()).toEqual(before)
  })
})
