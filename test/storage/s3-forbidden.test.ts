import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FileAccessError } from '../../src/storage/file-io.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { startFauxqs, type TestStore } from '../../src/testing/stores/fauxqs.ts'
import { type Fault, startFaultyProxy } from './faulty-proxy.ts'

let store: TestStore
beforeAll(async () => {
  store = await startFauxqs()
  await store.createBucket('bucket')
})
afterAll(() => store.close())

const forbidden = { status: 403, body: '<Error><Code>AccessDenied</Code><Message>no</Message></Error>' }
const isBatch = (method: string, url: string) => method === 'POST' && url.includes('delete')

/** A store that does as `fault` says: the requests for deletion that it got. */
async function through(
  fault: Fault,
  work: (io: S3FileIO, root: string, requests: string[]) => Promise<void>,
): Promise<void> {
  const requests: string[] = []
  const proxy = await startFaultyProxy(store.storage.endpoint, (method, url, body) => {
    if (isBatch(method, url)) requests.push('batch')
    if (method === 'DELETE') requests.push('single')
    return fault(method, url, body)
  })
  const io = new S3FileIO({ ...store.storage, endpoint: proxy.endpoint })
  try {
    await work(io, `s3://bucket/${randomUUID()}`, requests)
  } finally {
    await io.close()
    await proxy.close()
  }
}

it('deletes key by key where DeleteObjects is forbidden, and does not ask for it again and again', async () => {
  const fault: Fault = (method, url) => (isBatch(method, url) ? forbidden : undefined)
  await through(fault, async (io, root, requests) => {
    const paths = ['a', 'b', 'c'].map((name) => `${root}/${name}`)
    for (const path of paths) await io.write(path, Buffer.from('x'))
    expect(await io.deleteFiles(paths)).toEqual(paths.map(() => ({ outcome: 'deleted' })))
    expect(await Array.fromAsync(io.list(root))).toEqual([])
    expect(requests.splice(0)).toEqual(['batch', 'single', 'single', 'single'])
    await io.deleteFiles(paths)
    await io.deleteFiles(paths)
    expect(requests).toEqual(Array.from({ length: 6 }, () => 'single'))
  })
})

it('names the key for which the store refuses a batch, and goes on sending batches', async () => {
  const fault: Fault = (method, url, body) =>
    isBatch(method, url)
      ? body.includes('/shut')
        ? forbidden
        : undefined
      : url.includes('/shut')
        ? forbidden
        : undefined
  await through(fault, async (io, root, requests) => {
    const outcomes = await io.deleteFiles([`${root}/a`, `${root}/shut`, `${root}/b`])
    expect(outcomes).toEqual([
      { outcome: 'deleted' },
      { outcome: 'blocked', code: 'AccessDenied', message: 'no' },
      { outcome: 'deleted' },
    ])
    requests.splice(0)
    await io.deleteFiles([`${root}/c`, `${root}/d`])
    expect(requests).toEqual(['batch'])
  })
})

it.each(['', '<html>Forbidden</html>'])(
  'takes a 403 that says nothing for a prohibition: %j',
  async (body) => {
    const fault: Fault = (method) =>
      method === 'POST' || method === 'DELETE' ? { status: 403, body } : undefined
    await through(fault, async (io, root) => {
      expect(await io.deleteFiles([`${root}/a`])).toMatchObject([{ outcome: 'blocked' }])
    })
  },
)

it('names no key where it is the credentials that are refused', async () => {
  const fault: Fault = () => ({ status: 403, body: '<Error><Code>InvalidAccessKeyId</Code></Error>' })
  await through(fault, async (io, root, requests) => {
    await expect(io.deleteFiles([`${root}/a`])).rejects.toThrow(FileAccessError)
    expect(requests).toEqual(['batch'])
  })
})

it('hears of throttling where keys are deleted one by one', async () => {
  let singles = 0
  const fault: Fault = (method, url) => {
    if (isBatch(method, url)) return { status: 501 }
    return method === 'DELETE' && singles++ === 0
      ? { status: 503, headers: { 'retry-after': '2' } }
      : undefined
  }
  await through(fault, async (io, root) => {
    const waits: (number | undefined)[] = []
    const onThrottle = (wait: number | undefined) => void waits.push(wait)
    expect(await io.deleteFiles([`${root}/a`], { onThrottle })).toEqual([{ outcome: 'deleted' }])
    expect(waits).toEqual([2_000])
  })
})
