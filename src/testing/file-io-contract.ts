/** What every FileIO promises, as a suite that any implementation can be put through, against a real store. */
import assert from 'node:assert/strict'
import {
  FileAccessError,
  FileExistsError,
  type FileIO,
  FileNotFoundError,
  FileTooLargeError,
} from '../storage/file-io.ts'
import type { TestRunner } from './runner.ts'

export interface FileIOSubject {
  readonly io: FileIO
  /** A location that holds nothing yet, without a slash at its end. */
  readonly root: string
  close(): Promise<void>
}

/** Names that stores and their clients like to get wrong. Literal everywhere. */
const oddNames = [
  'a b',
  'a+b',
  'a%2Fb',
  '%',
  'ünï',
  '日本',
  '🦆',
  'q?x=1',
  'h#x',
  '"quoted"',
  "it's",
  '&<>',
  'new\nline',
  'tab\t',
  'c\u0001',
  'a;b,c=d',
  '~!@$^*()[]{}|',
]

/** @param make called for every test. */
export function fileIOContract(runner: TestRunner, make: () => Promise<FileIOSubject>): void {
  const it = (name: string, test: (io: FileIO, root: string) => Promise<void>) =>
    runner.it(name, async () => {
      const subject = await make()
      try {
        await test(subject.io, subject.root)
      } finally {
        await subject.close()
      }
    })

  runner.describe('FileIO', () => {
    it('writes and reads back any bytes, whole and as a stream', async (io, root) => {
      const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251))
      await io.write(`${root}/deep/er/file`, bytes)
      assert.ok((await io.read(`${root}/deep/er/file`)).equals(bytes))
      const chunks: Buffer[] = []
      for await (const chunk of io.readStream(`${root}/deep/er/file`)) chunks.push(Buffer.from(chunk))
      assert.ok(Buffer.concat(chunks).equals(bytes))
      await io.write(`${root}/empty`, Buffer.alloc(0))
      assert.equal((await io.read(`${root}/empty`)).length, 0)
      await io.write(`${root}/empty`, Buffer.from('no more'))
      assert.equal(String(await io.read(`${root}/empty`)), 'no more')
    })

    it('takes names literally', async (io, root) => {
      for (const name of oddNames) await io.write(`${root}/${name}`, Buffer.from(name))
      for (const name of oddNames) assert.equal(String(await io.read(`${root}/${name}`)), name)
      assert.deepEqual(await listed(io, root), oddNames.map((name) => `${root}/${name}`).toSorted())
      const outcomes = await io.deleteFiles(oddNames.map((name) => `${root}/${name}`))
      assert.deepEqual(new Set(outcomes.map(({ outcome }) => outcome)), new Set(['deleted']))
      assert.deepEqual(await listed(io, root), [])
    })

    it('copies a file, over another one, and says when there is none', async (io, root) => {
      for (const name of oddNames) {
        await io.write(`${root}/${name}`, Buffer.from(name))
        await io.copy(`${root}/${name}`, `${root}/copies/of ${name}`)
        assert.equal(String(await io.read(`${root}/copies/of ${name}`)), name)
      }
      await io.write(`${root}/other`, Buffer.from('other'))
      await io.copy(`${root}/other`, `${root}/${oddNames[0]}`)
      assert.equal(String(await io.read(`${root}/${oddNames[0]}`)), 'other')
      await assert.rejects(io.copy(`${root}/nothing`, `${root}/somewhere`), FileNotFoundError)
      assert.equal(await io.stat(`${root}/somewhere`), undefined)
    })

    it('lists by whole segments', async (io, root) => {
      for (const path of ['t/a', 't/b/c', 't2/x', 't.x', 'other/t/y'])
        await io.write(`${root}/${path}`, Buffer.from('x'))
      assert.deepEqual(await listed(io, `${root}/t`), [`${root}/t/a`, `${root}/t/b/c`])
      assert.deepEqual(await listed(io, `${root}/t/`), [`${root}/t/a`, `${root}/t/b/c`])
      assert.deepEqual(await listed(io, `${root}/nothing`), [])
    })

    it('knows size and time of a file, and what is not there', async (io, root) => {
      const before = Date.now()
      await io.write(`${root}/file`, Buffer.from('12345'))
      const info = await io.stat(`${root}/file`)
      assert.equal(info?.size, 5)
      assert.ok(Math.abs(info.modifiedAt - before) < 60_000)
      assert.equal(await io.stat(`${root}/none`), undefined)
      assert.equal(await io.stat(`${root}/none/below`), undefined)
      await assert.rejects(io.read(`${root}/none`), FileNotFoundError)
      await assert.rejects(drain(io.readStream(`${root}/none`)), FileNotFoundError)
    })

    it('refuses files that are larger than allowed', async (io, root) => {
      await io.write(`${root}/file`, Buffer.alloc(2_000))
      await assert.rejects(io.read(`${root}/file`, { maxBytes: 1_999 }), FileTooLargeError)
      assert.equal((await io.read(`${root}/file`, { maxBytes: 2_000 })).length, 2_000)
    })

    it('creates a file only once when asked to, where the store can tell', async (io, root) => {
      if (!io.capabilities.conditionalWrite) return
      const attempts = Array.from({ length: 8 }, (_, index) =>
        io.write(`${root}/once`, Buffer.from(String(index)), { ifAbsent: true }),
      )
      const results = await Promise.allSettled(attempts)
      const refused = results.filter((result) => result.status === 'rejected')
      assert.equal(refused.length, 7)
      for (const { reason } of refused) assert.ok(reason instanceof FileExistsError, String(reason))
      const winner = results.findIndex(({ status }) => status === 'fulfilled')
      assert.equal(String(await io.read(`${root}/once`)), String(winner))
    })

    it('deletes thousands in one call, with an outcome for each, in order', async (io, root) => {
      const names = Array.from({ length: 2_500 }, (_, index) => `${root}/f${index % 10}/${index}`)
      await Promise.all(
        Array.from({ length: 16 }, async (_, lane) => {
          for (let at = lane; at < names.length; at += 16) await io.write(names[at]!, Buffer.from('x'))
        }),
      )
      await io.write(`${root}/kept`, Buffer.from('x'))
      assert.deepEqual(await listed(io, root), [...names, `${root}/kept`].toSorted())
      const outcomes = await io.deleteFiles([...names, names[0]!, `${root}/none`])
      assert.equal(outcomes.length, 2_502)
      for (const { outcome } of outcomes.slice(0, 2_500))
        assert.ok(outcome === 'deleted' || outcome === 'absent')
      for (const { outcome } of outcomes.slice(2_500))
        assert.ok(outcome === 'deleted' || outcome === 'absent')
      assert.deepEqual(await listed(io, root), [`${root}/kept`])
      assert.deepEqual(await io.deleteFiles([]), [])
    })

    it('stops when it is told to, and says why', async (io, root) => {
      await io.write(`${root}/file`, Buffer.from('x'))
      const signal = AbortSignal.abort(new Error('enough'))
      await assert.rejects(io.deleteFiles([`${root}/file`], { signal }), /enough/)
      await assert.rejects(io.read(`${root}/file`, { signal }), /enough/)
      await assert.rejects(drain(io.readStream(`${root}/file`, { signal })), /enough/)
      await assert.rejects(drain(io.list(root, { signal })), /enough/)
      await assert.rejects(io.write(`${root}/other`, Buffer.from('x'), { signal }), /enough/)
      assert.deepEqual(await listed(io, root), [`${root}/file`])
    })

    it('reports locations that it must not touch as blocked, and goes on with the others', async (io, root) => {
      await io.write(`${root}/file`, Buffer.from('x'))
      const foreign = root.startsWith('s3:') ? 'file:///etc/hostname' : 's3://bucket/key'
      const [first, second] = await io.deleteFiles([foreign, `${root}/file`])
      assert.equal(first?.outcome, 'blocked')
      assert.equal(second?.outcome, 'deleted')
      await assert.rejects(io.read(foreign))
    })

    it('says so when the bucket is missing, instead of finding nothing', async (io, root) => {
      if (!root.startsWith('s3:')) return
      const missing = 's3://no-such-bucket-here/key'
      await assert.rejects(io.read(missing), FileAccessError)
      await assert.rejects(io.stat(missing), FileAccessError)
      await assert.rejects(drain(io.list(missing)), FileAccessError)
      await assert.rejects(io.deleteFiles([missing]), FileAccessError)
    })
  })
}

async function listed(io: FileIO, location: string): Promise<string[]> {
  const found: string[] = []
  for await (const file of io.list(location)) found.push(file.location)
  return found.toSorted()
}

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}
