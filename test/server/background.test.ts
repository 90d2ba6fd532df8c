import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { dialects } from '../../src/testing/databases.ts'
import { append, createTable, type Served, serve, setProperties } from './fixture.ts'

const path = '/namespaces/ns/tables/cities'
const local = (location: string) => location.replace('file://', '')
const purge = { purger: 'sql-async' }

/** Waits until the purge is in one of these states. */
async function until(served: Served, link: string, ...states: string[]) {
  for (let attempt = 0; attempt < 500; attempt++) {
    const { json } = await served.call('GET', `/!${link.slice(1)}`)
    if (states.includes(json.state)) return json
    await sleep(20)
  }
  throw new Error(`The purge did not become ${states.join(' or ')}.`)
}

/** A purger whose engine says after a moment that it is done, to the worker that it works for. */
const heard = `data:text/javascript,${encodeURIComponent(`
  export default (options, context) => ({
    name: 'heard',
    waits: false,
    purge: async ({ id }) => {
      setTimeout(() => context.deliver(id, [{ key: 'end', body: {} }]), 500)
      return { kind: 'handed_off', reference: 'engine' }
    },
    inspect: async (purge, reference, run) => ({
      state: (await run.messages()).length > 0 ? 'finished' : 'running',
    }),
  })
`)}`

const monitor = (headers: Headers) => /^<(.+)>; rel="monitor"$/.exec(headers.get('link') ?? '')![1]!

describe.each(dialects)('the workers of a server on %s', (dialect) => {
  it('answers at once, and erases the files behind the answer', async () => {
    await using served = await serve({ dialect, purge })
    const { json } = await createTable(served)
    await served.call('POST', path, setProperties({ a: 'b' }))
    const answer = await served.call('DELETE', `${path}?purgeRequested=true`)
    expect(answer.status).toBe(204)
    expect((await served.call('HEAD', path)).status).toBe(404)
    const record = await until(served, monitor(answer.headers), 'succeeded')
    expect(record).toMatchObject({ purger: 'sql-async', attempts: 1, counts: { root: { deleted: 1 } } })
    expect(existsSync(local(json.metadata.location))).toBe(false)
    expect((await served.call('GET', '/!management/v1/purges')).json.purges).toHaveLength(1)
  })

  it('records the priority of the warehouse with the drop', async () => {
    await using served = await serve({ dialect, purge: { ...purge, priority: -7 } })
    await createTable(served)
    const answer = await served.call('DELETE', `${path}?purgeRequested=true`)
    expect(await until(served, monitor(answer.headers), 'succeeded')).toMatchObject({ priority: -7 })
  })

  it('shows what failed and why, and tries again when asked', async () => {
    await using served = await serve({ dialect, purge })
    const { json } = await createTable(served)
    const committed = await served.call('POST', path, append(json.metadata, 5n))
    const answer = await served.call('DELETE', `${path}?purgeRequested=true`)
    const link = monitor(answer.headers)
    const failed = await until(served, link, 'failed')
    expect(failed['last-error']).toContain(committed.json.metadata.snapshots[0]['manifest-list'])
    const again = await served.call('POST', `/!${link.slice(1)}/retry`)
    expect([again.status, again.json.state]).toEqual([202, 'pending'])
    const twice = await until(served, link, 'failed')
    expect(twice.attempts).toBe(2)
    expect((await served.call('GET', '/!management/v1/purges/nothing')).json.error.type).toBe(
      'NoSuchPurgeException',
    )
  })

  it('hears at once what the engine of a purger says to a worker', async () => {
    await using served = await serve({ dialect, purge: { purger: heard }, pollInterval: 3_600_000 })
    await createTable(served)
    const answer = await served.call('DELETE', `${path}?purgeRequested=true`)
    await until(served, monitor(answer.headers), 'succeeded')
  })
})
