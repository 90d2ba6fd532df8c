import { randomUUID } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { StorageUnavailableError } from '../../src/storage/file-io.ts'
import { S3FileIO, type S3FileIOOptions } from '../../src/storage/s3/s3-file-io.ts'
import { startFauxqs, type TestStore } from '../../src/testing/stores/fauxqs.ts'
import { type Fault, startFaultyProxy } from './faulty-proxy.ts'

let store: TestStore
beforeAll(async () => {
  store = await startFauxqs()
  await store.createBucket('bucket')
})
afterAll(() => store.close())

async function through(
  fault: Fault,
  options: Partial<S3FileIOOptions>,
  work: (io: S3FileIO, root: string) => Promise<void>,
): Promise<void> {
  const proxy = await startFaultyProxy(store.storage.endpoint, fault)
  const io = new S3FileIO({ ...store.storage, endpoint: proxy.endpoint, ...options })
  try {
    await work(io, `s3://bucket/${randomUUID()}`)
  } finally {
    await io.close()
    await proxy.close()
  }
}

const isDelete = (method: string, url: string) => method === 'POST' && url.includes('delete')

it('asks again, or reads on, where the store falls silent in the middle of an answer', async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
  const stalled = new Set<string>()
  // Once for each kind of request.
  const fault: Fault = (method, url) => {
    const kind = `${method} ${url.includes('list-type') ? 'list' : ''}`
    if (method === 'PUT' || stalled.has(kind)) return undefined
    stalled.add(kind)
    return 'stall'
  }
  await through(fault, { idleLimit: 200 }, async (io, root) => {
    await io.write(`${root}/a`, bytes)
    expect((await io.read(`${root}/a`)).equals(bytes)).toBe(true)
    expect(await Array.fromAsync(io.list(root))).toMatchObject([{ location: `${root}/a` }])
    expect(await io.deleteFiles([`${root}/a`])).toEqual([{ outcome: 'deleted' }])
    expect([...stalled].toSorted()).toEqual(['GET ', 'GET list', 'POST '])
  })
})

it('gives up a store that is silent again and again', async () => {
  let deaf = false
  const fault: Fault = () => (deaf ? 'stall' : undefined)
  await through(fault, { idleLimit: 50 }, async (io, root) => {
    await io.write(`${root}/a`, Buffer.alloc(1_000))
    deaf = true
    await expect(io.read(`${root}/a`)).rejects.toThrow(StorageUnavailableError)
    await expect(Array.fromAsync(io.list(root))).rejects.toThrow(/TimeoutError/)
    await expect(io.deleteFiles([`${root}/a`])).rejects.toThrow(/TimeoutError/)
  })
})

it('lets whoever reads take his time, and reads on where the store ends a connection that nobody reads from', async () => {
  const bytes = Buffer.alloc(2_000_000, 'abc')
  let gets = 0
  const fault: Fault = (method) => (method === 'GET' && gets++ < 8 ? 'half-answer' : undefined)
  await through(fault, { idleLimit: 100 }, async (io, root) => {
    await io.write(`${root}/a`, bytes)
    gets = 8
    const slowly: Buffer[] = []
    for await (const chunk of io.readStream(`${root}/a`)) {
      if (slowly.length < 2) await sleep(300)
      slowly.push(chunk)
    }
    expect(Buffer.concat(slowly).equals(bytes)).toBe(true)
    gets = 3
    expect((await io.read(`${root}/a`)).equals(bytes)).toBe(true)
    expect(gets).toBe(9)
  })
})

it('gives up an upload that the store does not take', async () => {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket.pause()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const io = new S3FileIO({ ...store.storage, endpoint: `http://127.0.0.1:${port}`, answerTimeout: 200 })
  try {
    const writing = io.write('s3://bucket/a', Buffer.alloc(20_000_000))
    await expect(writing).rejects.toThrow(StorageUnavailableError)
    expect(sockets.length).toBe(5)
  } finally {
    await io.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  }
})

it('says that the store has too much to do when no answer comes, before it is asked again', async () => {
  const events: string[] = []
  const faults = ['silence', 'drop', 'stall'] as const
  const fault: Fault = (method, url) => {
    if (!isDelete(method, url)) return undefined
    events.push('request')
    return faults[events.filter((event) => event === 'request').length - 1]
  }
  await through(fault, { answerTimeout: 300, idleLimit: 100 }, async (io, root) => {
    const onThrottle = (wait: number | undefined) => void events.push(`throttled ${wait}`)
    expect(await io.deleteFiles([`${root}/a`], { onThrottle })).toEqual([{ outcome: 'deleted' }])
    const lost = ['request', 'throttled undefined']
    expect(events).toEqual([...lost, ...lost, ...lost, 'request'])
  })
})

it('understands a Retry-After that is a date', async () => {
  let answers = 0
  const fault: Fault = (method, url) => {
    if (!isDelete(method, url) || answers++ > 0) return undefined
    const [date, until] = [0, 2_000].map((later) => new Date(1_800_000_000_000 + later).toUTCString())
    return { status: 503, headers: { date: date!, 'retry-after': until! } }
  }
  await through(fault, {}, async (io, root) => {
    const waits: (number | undefined)[] = []
    await io.deleteFiles([`${root}/a`], { onThrottle: (wait) => void waits.push(wait) })
    expect(waits).toEqual([2_000])
  })
})
