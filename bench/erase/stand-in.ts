/**
 * A stand-in for S3 that answers at once: objects in memory, no signatures checked. It shows what a client can do when
 * the store is not the limit. A process of its own, so that its work is not the client's.
 *
 * Beside S3's own requests: `POST /` takes keys (`bucket/key`, a line each) that hold nothing, `GET /` tells which objects
 * there are, `DELETE /` forgets them.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const empty = Buffer.alloc(0)
const objects = new Map<string, Buffer>()
/** Milliseconds added to every answer. */
const delay = Number(process.argv[2] ?? 0)

const server = createServer((request, response) => void serve(request, response))
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://stand-in')
  const body = await bodyOf(request)
  if (delay > 0 && url.pathname !== '/') await sleep(delay)
  const [status, answer] = answerTo(request.method!, url, body)
  response.writeHead(status, { 'content-length': answer.length, 'content-type': 'application/xml' })
  response.end(request.method === 'HEAD' ? undefined : answer)
}

function answerTo(method: string, url: URL, body: Buffer): [number, Buffer] {
  const key = decodeURIComponent(url.pathname.slice(1))
  if (url.pathname === '/' && method === 'POST') {
    for (const line of body.toString().split('\n')) objects.set(line, empty)
    return [200, empty]
  }
  if (url.pathname === '/') {
    const keys = [...objects.keys()].join('\n')
    if (method === 'DELETE') objects.clear()
    return [200, Buffer.from(keys)]
  }
  if (method === 'POST' && url.searchParams.has('delete')) return [200, deleteAll(key, body)]
  if (url.searchParams.has('list-type')) return [200, list(key, url.searchParams)]
  if (url.searchParams.has('versioning')) return [200, Buffer.from('<VersioningConfiguration/>')]
  if (url.searchParams.has('object-lock')) return [200, Buffer.from('<ObjectLockConfiguration/>')]
  if (method === 'PUT') {
    objects.set(key, body)
    return [200, empty]
  }
  const found = objects.get(key)
  if (found) return [200, found]
  return [404, Buffer.from('<Error><Code>NoSuchKey</Code><Message>none</Message></Error>')]
}

function deleteAll(bucket: string, body: Buffer): Buffer {
  const prefix = `${bucket.replace(/\/$/, '')}/`
  for (const match of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) objects.delete(prefix + match[1]!)
  return Buffer.from('<?xml version="1.0" encoding="UTF-8"?><DeleteResult/>')
}

function list(bucket: string, query: URLSearchParams): Buffer {
  const base = `${bucket.replace(/\/$/, '')}/`
  const prefix = base + (query.get('prefix') ?? '')
  const contents: string[] = []
  for (const [key, bytes] of objects) {
    if (!key.startsWith(prefix)) continue
    contents.push(
      `<Contents><Key>${encodeURIComponent(key.slice(base.length))}</Key><Size>${bytes.length}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`,
    )
    if (contents.length === 1_000) break
  }
  return Buffer.from(
    `<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>${contents.join('')}</ListBucketResult>`,
  )
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
