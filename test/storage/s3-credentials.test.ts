import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { FileAccessError } from '../../src/storage/file-io.ts'
import { S3FileIO } from '../../src/storage/s3/s3-file-io.ts'
import { s3Storage } from '../../src/testing/stores/fauxqs.ts'

let folder: string
let server: Server
let endpoint: string
/** Access keys of the requests, in their order; the store refuses all but the valid ones. */
let signedWith: string[]
let valid: ReadonlySet<string>
let connections: number

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moulin-credentials-'))
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE'])
    vi.stubEnv(name, undefined)
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'))
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  signedWith = []
  connections = 0
  server = createServer((request, answer) => {
    request.resume().on('end', () => {
      const key = /Credential=([^/]+)/.exec(request.headers.authorization!)![1]!
      signedWith.push(key)
      answer.statusCode = valid.has(key) ? 200 : 403
      answer.end(valid.has(key) ? '<DeleteResult/>' : '<Error><Code>InvalidAccessKeyId</Code></Error>')
    })
  }).on('connection', () => void connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(() => {
  vi.unstubAllEnvs()
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

function rotate(key: string): void {
  writeFileSync(
    join(folder, 'credentials'),
    `[default]\naws_access_key_id = ${key}\naws_secret_access_key = secret\n`,
  )
}

const keysOfChain = { accessKeyId: undefined, secretAccessKey: undefined }

it('signs with the keys that the profile holds when an attempt begins, through the same connection', async () => {
  valid = new Set(['old', 'new'])
  rotate('old')
  const io = new S3FileIO({ ...s3Storage(endpoint, '', ''), ...keysOfChain })
  await io.renewCredentials()
  await io.deleteFiles(['s3://bucket/a'])
  rotate('new')
  await io.deleteFiles(['s3://bucket/a'])
  await io.renewCredentials()
  await io.deleteFiles(['s3://bucket/a'])
  await io.deleteFiles(['s3://bucket/a'])
  expect(signedWith).toEqual(['old', 'old', 'new', 'new'])
  expect(connections).toBe(1)
  await io.close()
})

it('asks for other keys when the store refuses those it has, and repeats the request once', async () => {
  valid = new Set(['old'])
  rotate('old')
  const io = new S3FileIO({ ...s3Storage(endpoint, '', ''), ...keysOfChain })
  expect(await io.deleteFiles(['s3://bucket/a'])).toEqual([{ outcome: 'deleted' }])
  rotate('new')
  valid = new Set(['new'])
  expect(await io.deleteFiles(['s3://bucket/a'])).toEqual([{ outcome: 'deleted' }])
  expect(signedWith).toEqual(['old', 'old', 'new'])
  // There are no others: nothing is repeated.
  valid = new Set()
  await expect(io.deleteFiles(['s3://bucket/a'])).rejects.toThrow(FileAccessError)
  expect(signedWith).toEqual(['old', 'old', 'new', 'new'])
  rotate('other')
  await expect(io.deleteFiles(['s3://bucket/a'])).rejects.toThrow(FileAccessError)
  expect(signedWith.slice(4)).toEqual(['new', 'other'])
  await io.close()
})

it('keeps to the keys of the configuration', async () => {
  valid = new Set()
  rotate('other')
  const io = new S3FileIO(s3Storage(endpoint, 'configured', 'secret'))
  await io.renewCredentials()
  await expect(io.deleteFiles(['s3://bucket/a'])).rejects.toThrow(FileAccessError)
  expect(signedWith).toEqual(['configured'])
  await io.close()
})
