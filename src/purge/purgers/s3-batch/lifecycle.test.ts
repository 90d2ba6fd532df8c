import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../../storage/s3/client.ts'
import { requireExpiry } from './lifecycle.ts'
import type { TagStrategy } from './options.ts'

const strategy: TagStrategy = {
  kind: 'tag',
  tag: { key: 'moulin-purge', value: 'expire' },
  installLifecycleRule: true,
  lifecycleInterval: 1,
  deadline: 7 * 86_400_000,
}
const now = Date.UTC(2026, 10, 23)
const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'
const refusal = 'Filter element can only be used in Lifecycle V2.'

/** A bucket whose configuration has these rules, as XML; of what is put, S3 refuses rules of both forms. */
async function bucket(rules: string) {
  const put: string[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request)
    if (request.method === 'PUT') put.push(body)
    const isMixed = /<Rule>(?:(?!<Filter|<\/Rule>).)*<Prefix/.test(body) && body.includes('<Filter>')
    const [status, content]: [number, string] = isMixed
      ? [400, `<Error><Code>InvalidRequest</Code><Message>${refusal}</Message></Error>`]
      : [200, `<LifecycleConfiguration xmlns="${namespace}">${rules}</LifecycleConfiguration>`]
    response.writeHead(status, { 'content-type': 'application/xml' }).end(content)
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const connection = await connect({
    type: 's3',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    pathStyleAccess: true,
    accessKeyId: 'a',
    secretAccessKey: 'b',
    sessionToken: undefined,
    checksums: 'when_required',
  })
  return {
    put,
    require: async (more: Partial<TagStrategy> = {}) =>
      await requireExpiry(connection, 'lake', { ...strategy, ...more }, now),
    close: () => {
      connection.client.destroy()
      server.closeAllConnections()
      server.close()
    },
  }
}

const theirs = (scope: string) =>
  `<Rule><ID>theirs</ID>${scope}<Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>`
const tagged = (expiration: string, id = 'cleaner') =>
  `<Rule><ID>${id}</ID><Filter><Tag><Key>moulin-purge</Key><Value>expire</Value></Tag></Filter><Status>Enabled</Status><Expiration>${expiration}</Expiration></Rule>`

describe('the lifecycle rule', () => {
  let lake: Awaited<ReturnType<typeof bucket>>
  afterEach(() => lake.close())

  it.each([
    ['<Prefix>logs/</Prefix>', '<Filter><Prefix>logs/</Prefix></Filter>'],
    ['<Prefix></Prefix>', '<Filter><Prefix></Prefix></Filter>'],
    ['<Prefix/>', '<Filter><Prefix></Prefix></Filter>'],
    ['<Filter><Prefix>logs/</Prefix></Filter>', '<Filter><Prefix>logs/</Prefix></Filter>'],
    ['<Filter/>', '<Filter/>'],
  ])('is added to a rule with %s, which says the same as before', async (scope, expected) => {
    lake = await bucket(theirs(scope))
    await lake.require()
    const [first, second] = lake.put[0]!.match(/<Rule>.*?<\/Rule>/g)!
    expect(
      first!.replaceAll('<Prefix/>', '<Prefix></Prefix>').replace('<Filter></Filter>', '<Filter/>'),
    ).toContain(expected)
    expect(first).toContain('<Days>30</Days>')
    expect(second).toContain('<ID>moulin-purge</ID>')
  })

  it('that S3 does not take beside the others is for the operator to add', async () => {
    lake = await bucket(theirs('<Prefix>a/</Prefix><Filter><Prefix>a/</Prefix></Filter>'))
    const adding = lake.require()
    await expect(adding).rejects.toThrow(`InvalidRequest: ${refusal}`)
    await expect(adding).rejects.toMatchObject({ name: 'PermanentPurgeError' })
  })

  it.each([
    ['<Days>6</Days>', '7d'],
    ['<Days>1</Days>', '2d'],
    ['<Date>2026-11-23T00:00:00Z</Date>', '7d'],
    ['<Date>2020-01-01T00:00:00Z</Date>', '7d'],
  ])('%s is in time for a deadline of %s', async (expiration, deadline) => {
    lake = await bucket(tagged(expiration))
    await lake.require({ installLifecycleRule: false, deadline: Number.parseInt(deadline, 10) * 86_400_000 })
    expect(lake.put).toEqual([])
  })

  it.each([
    ['<Days>3650</Days>', 'after 3650 days only'],
    ['<Days>7</Days>', 'after 7 days only'],
    ['<Date>2026-11-24T00:00:00Z</Date>', 'not before 2026-11-24T00:00:00.000Z'],
    ['<Date>2099-01-01T00:00:00Z</Date>', 'not before 2099-01-01T00:00:00.000Z'],
  ])('%s is too late', async (expiration, when) => {
    lake = await bucket(tagged(expiration))
    const given = lake.require({ installLifecycleRule: false })
    await expect(given).rejects.toMatchObject({ name: 'PermanentPurgeError' })
    await expect(given).rejects.toThrow(
      `The lifecycle rule cleaner of the bucket lake expires what is tagged moulin-purge=expire ${when}: too late for a deadline of 7 days. Have it expire them after 6 days at most`,
    )
    await expect(given).rejects.toThrow('set installLifecycleRule: true')
    // One in time may be added beside it.
    await lake.require()
    expect(lake.put).toHaveLength(1)
  })

  it('that is too late and has our name is left as it is', async () => {
    lake = await bucket(tagged('<Days>3650</Days>', 'moulin-purge'))
    await expect(lake.require()).rejects.toThrow(
      /^The lifecycle rule moulin-purge .* after 3650 days only.*raise deadline, and retry\.$/,
    )
    expect(lake.put).toEqual([])
  })
})
