import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileAccessError, FileExistsError, StorageUnavailableError } from '../../src/storage/file-io.ts'
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
    const listed = (await Array.fromAsync(io.list(root))).map(({ location }) => location)
    expect(listed.toSorted()).toEqual(keys.map((key) => `${root}/${key}`).toSorted())
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

/** fauxqs takes any. */
const secret = 'a-secret-that-nobody-may-read'

describe('a store with faults', () => {
  const through = async (fault: Fault, work: (io: S3FileIO, root: string) => Promise<void>) => {
    const proxy = await startFaultyProxy(store.storage.endpoint, fault)
    const io = new S3FileIO({ ...store.storage, endpoint: proxy.endpoint, secretAccessKey: secret })
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

  it('says that the store asks for fewer requests', async () => {
    let answers = 0
    const fault: Fault = (method, url, body) =>
      isDelete(method, url) && answers++ === 0 ? withErrors([[keysOf(body)[0]!, 'SlowDown']]) : undefined
    await through(fault, async (io, root) => {
      let throttled = 0
      const options = { onThrottle: () => void throttled++ }
      expect(await io.deleteFiles([`${root}/a`, `${root}/b`], options)).toHaveLength(2)
      expect(throttled).toBe(1)
    })
    let requests = 0
    const busy: Fault = (method, url) =>
      isDelete(method, url) && requests++ === 0 ? { status: 503, headers: { 'retry-after': '1' } } : undefined
    await through(busy, async (io, root) => {
      const waits: (number | undefined)[] = []
      const options = { onThrottle: (wait: number | undefined) => void waits.push(wait) }
      expect(await io.deleteFiles([`${root}/a`], options)).toEqual([{ outcome: 'deleted' }])
      expect(waits).toEqual([1_000])
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
      await expect(io.deleteFiles([`${root}/a`])).rejects.toThrow(/cannot be understood/)
    })
  })

  it.each(['', '<html>Welcome</html>', '<Error><Code>InternalError</Code></Error>'])(
    'takes no page for an answer: %j',
    async (body) => {
      let requests = 0
      const fault: Fault = (method, url) =>
        isDelete(method, url) || url.includes('list-type=2') ? { status: 200, body } : undefined
      await through(fault, async (io, root) => {
        await io.write(`${root}/a`, Buffer.from('x'))
        await expect(io.deleteFiles([`${root}/a`])).rejects.toThrow(StorageUnavailableError)
        await expect(Array.fromAsync(io.list(root))).rejects.toThrow(StorageUnavailableError)
      })
      const once: Fault = (method, url) =>
        isDelete(method, url) && ++requests === 1 ? { status: 200, body } : undefined
      await through(once, async (io, root) => {
        await io.write(`${root}/a`, Buffer.from('x'))
        expect(await io.deleteFiles([`${root}/a`])).toEqual([{ outcome: 'deleted' }])
        expect(await io.stat(`${root}/a`)).toBeUndefined()
      })
      expect(requests).toBe(2)
    },
  )

  it.each([
    ['an empty 404', { status: 404 }],
    ['a page', { status: 404, body: '<html>not found</html>' }],
  ])('does not take %s of something else for absence', async (_, answer) => {
    await through(
      () => answer,
      async (io, root) => {
        await expect(io.read(`${root}/a`)).rejects.toThrow(StorageUnavailableError)
        await expect(io.stat(`${root}/a`)).rejects.toThrow(FileAccessError)
        await expect(Array.fromAsync(io.list(root))).rejects.toThrow(StorageUnavailableError)
        await expect(io.deleteFiles([`${root}/a`])).rejects.toThrow(StorageUnavailableError)
        expect(await io.deleteFiles([`${root}/\u0001`])).toMatchObject([{ outcome: 'failed' }])
      },
    )
  })

  it('deletes key by key where a batch is refused', async () => {
    const fault: Fault = (method, url, body) => {
      if (isDelete(method, url)) return { status: 501, body: '<Error><Code>NotImplemented</Code></Error>' }
      return method === 'DELETE' && body === '' && url.includes('/shut')
        ? { status: 403, body: '<Error><Code>AccessDenied</Code><Message>no</Message></Error>' }
        : undefined
    }
    await through(fault, async (io, root) => {
      for (const name of ['a', 'b', 'shut']) await io.write(`${root}/${name}`, Buffer.from('x'))
      const outcomes = await io.deleteFiles([`${root}/a`, `${root}/shut`, `${root}/b`, `${root}/a`])
      expect(outcomes).toMatchObject([
        { outcome: 'deleted' },
        { outcome: 'blocked', code: 'AccessDenied' },
        { outcome: 'deleted' },
        { outcome: 'deleted' },
      ])
      expect(await Array.fromAsync(io.list(root))).toMatchObject([{ location: `${root}/shut` }])
    })
  })

  it('takes up a body that broke off, and ends when it cannot', async () => {
    const bytes = Buffer.from(Array.from({ length: 500_000 }, (_, index) => index % 251))
    let gets = 0
    let broken = 2
    const fault: Fault = (method) => (method === 'GET' && ++gets <= broken ? 'half-answer' : undefined)
    await through(fault, async (io, root) => {
      await io.write(`${root}/a`, bytes)
      expect((await io.read(`${root}/a`)).equals(bytes)).toBe(true)
      expect(gets).toBe(3)
      broken = Number.POSITIVE_INFINITY
      await expect(io.read(`${root}/a`)).rejects.toThrow(StorageUnavailableError)
    })
  })

  it('knows its own conditional write again when the answer was lost, and no other', async () => {
    let puts = 0
    const fault: Fault = (method) => {
      if (method !== 'PUT') return undefined
      puts++
      return puts % 2 === 1
        ? 'lose-answer'
        : { status: 412, body: '<Error><Code>PreconditionFailed</Code></Error>' }
    }
    await through(fault, async (io, root) => {
      await io.write(`${root}/a`, Buffer.from('mine'), { ifAbsent: true })
      expect(puts).toBe(2)
      puts = 1
      await expect(io.write(`${root}/a`, Buffer.from('mine'), { ifAbsent: true })).rejects.toThrow(
        FileExistsError,
      )
    })
  })

  it('waits for another conditional write to end', async () => {
    let puts = 0
    const fault: Fault = (method) =>
      method === 'PUT' && ++puts <= 2
        ? { status: 409, body: '<Error><Code>ConditionalRequestConflict</Code></Error>' }
        : undefined
    await through(fault, async (io, root) => {
      await io.write(`${root}/a`, Buffer.from('x'), { ifAbsent: true })
      expect(puts).toBe(3)
    })
  })

  it('tells no secret', async () => {
    await through(
      () => ({ status: 403, body: '<Error><Code>SignatureDoesNotMatch</Code></Error>' }),
      async (io, root) => {
        const error = await io.read(`${root}/a`).then(
          () => undefined,
          (reason: unknown) => reason as FileAccessError,
        )
        expect(error).toBeInstanceOf(FileAccessError)
        expect(inspect(error, { depth: 10 })).not.toContain(secret)
      },
    )
  })
})
