import { createReadStream, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/**
 * As much of S3 as a purge asks for. Serves the files of a folder, whose subfolders are the buckets, and answers every
 * deletion at once without deleting anything, so that tables of any size cost no more than their metadata.
 */
export async function forgetfulStore(
  folder: string,
): Promise<{ readonly endpoint: string } & AsyncDisposable> {
  const server = createServer((request, response) => {
    answer(folder, request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url!, 'http://store')
  switch (request.method) {
    case 'POST':
      for await (const _chunk of request);
      return xml(response, 200, '<DeleteResult/>')
    case 'DELETE':
      response.writeHead(204).end()
      return
    case 'GET':
    case 'HEAD':
      if (searchParams.has('list-type')) return xml(response, 200, '<ListBucketResult/>')
      if (searchParams.has('versioning')) return xml(response, 200, '<VersioningConfiguration/>')
      if (searchParams.has('object-lock')) {
        return notFound(response, 'ObjectLockConfigurationNotFoundError')
      }
      return await file(join(folder, decodeURIComponent(pathname)), request, response)
    default:
      response.writeHead(405).end()
  }
}

async function file(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found?.isFile()) return notFound(response, 'NoSuchKey')
  response.writeHead(200, {
    'content-length': found.size,
    'last-modified': found.mtime.toUTCString(),
    etag: '"0"',
  })
  if (request.method === 'HEAD') response.end()
  else await pipeline(createReadStream(path), response)
}

function notFound(response: ServerResponse, code: string): void {
  xml(response, 404, `<Error><Code>${code}</Code></Error>`)
}

function xml(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' }).end(body)
}
