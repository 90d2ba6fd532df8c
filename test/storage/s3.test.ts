import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { fileIOContract } from '../../src/testing/file-io-contract.ts'
import { startFauxqs, type TestStore } from '../../src/testing/stores/fauxqs.ts'
import { type Fault, startFaultyProxy } from './faulty-proxy.ts'

let store: TestStore
beforeAll(async () => {
  store = await startFauxqs()
  await store.createBucket('bucket')
})
afterAll(() => store.close())

describe('S3 (fauxqs)', () => {
  fileIOContract({ describe, it }, async () => {
    const real = new S3FileIO(store.storage)
    // fauxqs ignores If-None-Match: what depends on it is tested on SeaweedFS.
    const io = new Proxy(real, {
      get: (target, name) => {
        if (name === 'capabilities') return { ...target.capabilities, conditionalWrite: false }
        const member = Reflect.get(target, name, target) as unknown
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    return { io, root: `s3://bucket/${randomUUID()}`, close: () => real.close() }
  })

  it('keeps what a URL parser would change: //, .., a slash at the start', async () => {
    const io = new S3FileIO(store.storage)
    const root = `s3://bucket/${randomUUID()}`
    const keys = ['a//b', 'a/../b', './c', '/lead', 'd/', '..']
    for (const key of keys) await io.write(`${root}/${key}`, Buffer.from(key))
    for (const key of keys) expect(String(await io.read(`${root}/${key}`))).toBe(key)
    const outcomes = await io.deleteFiles(keys.map((key) => `${root}/${key}`))
    expect(outcomes.every(({ outcome }) => outcome === 'deleted')).toBe(true)
    for (const key of keys) expect(await io.stat(`${root}/${key}`)).toBeUndefined()
    await io.close()
  })
})

const keysOf = (body: string) => [...body.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key!)
const withErrors = (errors: readonly (readonly [string, string])[]) => ({
  status: 200,
  body: `<?xml version="1.0"?><DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${errors
    .map(([key, code]) => `<Error><Key>${key}</Key><Code>${code}</Code><Message>${code}!</Message></Error>`)
    .join('')}</DeleteResult>`,
})

describe('deletion from a store with faults', () => {
  const through = async (fault: Fault, work: (io: S3FileIO, root: string) => Promise<void>) => {
    const proxy = await startFaultyProxy(store.storage.endpoint, fault)
    const io = new S3FileIO({ ...store.storage, endpoint: proxy.endpoint })
    try {
      await work(io, `s3://bucket/${randomUUID()}`)
    } finally {
      await io.close()
      await proxy.close()
    }
  }
  const isDelete = (method: string, url: string) => method === 'POST' && url.includes('delete')

  it('sends keys that failed inside a 200 again, by themselves', async () => {
    const sent: number[] = []
    const fault: Fault = (method, url, body) => {
      if (!isDelete(method, url)) return undefined
      const keys = keysOf(body)
      sent.push(keys.length)
      const failing = keys.filter((key) => /[05]$/.test(key))
      return sent.length <= 2 ? withErrors(failing.map((key) => [key, 'InternalError'])) : undefined
    }
    await through(fault, async (io, root) => {
      const paths = Array.from({ length: 20 }, (_, index) => `${root}/${index}`)
      const outcomes = await io.deleteFiles(paths)
      expect(outcomes).toEqual(paths.map(() => ({ outcome: 'deleted' })))
      expect(sent).toEqual([20, 4, 4])
    })
  })

  it('gives up on a key that keeps failing, names it, and loses none of its neighbours', async () => {
    const fault: Fault = (method, url, body) =>
      isDelete(method, url) && keysOf(body).some((key) => key.endsWith('/7'))
        ? withErrors(
            keysOf(body)
              .filter((key) => key.endsWith('/7'))
              .map((key) => [key, 'SlowDown']),
          )
        : undefined
    await through(fault, async (io, root) => {
      const outcomes = await io.deleteFiles(Array.from({ length: 10 }, (_, index) => `${root}/${index}`))
      expect(outcomes[7]).toEqual({ outcome: 'failed', code: 'SlowDown', message: 'SlowDown!' })
      expect(outcomes.filter(({ outcome }) => outcome === 'deleted')).toHaveLength(9)
    })
  })

  it('does not ask again for what the store forbids', async () => {
    let requests = 0
    const fault: Fault = (method, url, body) => {
      if (!isDelete(method, url)) return undefined
      requests++
      const codes = ['AccessDenied', 'InvalidRequest', 'NoSuchKey']
      return withErrors(keysOf(body).map((key, index) => [key, codes[index]!]))
    }
    await through(fault, async (io, root) => {
      const outcomes = await io.deleteFiles([`${root}/a`, `${root}/b`, `${root}/c`])
      expect(outcomes).toMatchObject([{ outcome: 'blocked' }, { outcome: 'blocked' }, { outcome: 'absent' }])
      expect(requests).toBe(1)
    })
  })

  it('gets through throttling, and through answers that never arrive', async () => {
    let requests = 0
    const fault: Fault = (method, url) => {
      if (!isDelete(method, url)) return undefined
      requests++
      if (requests === 1) return { status: 503, body: '<Error><Code>SlowDown</Code></Error>' }
      return requests === 2 ? 'drop' : undefined
    }
    await through(fault, async (io, root) => {
      await io.write(`${root}/a`, Buffer.from('x'))
      expect(await io.deleteFiles([`${root}/a`])).toEqual([{ outcome: 'deleted' }])
      expect(await io.stat(`${root}/a`)).toBeUndefined()
      expect(requests).toBe(3)
    })
  })

  it('throws when a store answers nothing but 503, and claims nothing', async () => {
    const fault: Fault = (method, url) => (isDelete(method, url) ? { status: 503 } : undefined)
    await through(fault, async (io, root) => {
      await expect(io.deleteFiles([`${root}/a`])).rejects.toThrow(/did not do its work/)
    })
  })

  it('does not understand an answer about other keys', async () => {
    const fault: Fault = (method, url) =>
      isDelete(method, url) ? withErrors([['other', 'InternalError']]) : undefined
    await through(fault, async (io, root) => {
      await expect(io.deleteFiles([`${root}/a`])).rejects.toThrow(/UnexpectedAnswer/)
    })
  })
})
